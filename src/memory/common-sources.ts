/** The sources that both systems have: the disk, and the engine's own list of GPUs. */
import { type Answer, andThen, known, unknown } from './answer.ts'
import { gpuLimit } from './list-devices.ts'
import { PacedSource } from './paced-source.ts'
import type { PlatformOptions, SystemDoors } from './platform-memory.ts'

/** Not more often than this: kernels keep such counters for a while, and a sample asked for in between needs no new one. */
export const cheapEveryMs = 1000

export function diskSource({ clock, doors, diskPath }: PlatformOptions): PacedSource<number> {
  return new PacedSource({
    clock,
    everyMs: 10_000,
    ask: async () => known(await doors.freeDiskBytes(diskPath)),
  })
}

/** The first start after an update of the system compiles shaders. */
const devicesDeadlineMs = 20_000

/**
 * The engine is asked once for each file. `setting` is what else the limit depends on: with another one it is asked
 * again.
 */
export function devicesSource(
  { clock, doors, engineFile }: PlatformOptions,
  setting: () => Answer<string> = () => known(''),
): PacedSource<number> {
  return new PacedSource({
    clock,
    everyMs: Infinity,
    everyMsInVain: 600_000,
    about: () =>
      andThen(engineFile(), (file) => andThen(setting(), (value) => known(`${value}:${file}`))),
    ask: (about, signal) =>
      askTool(doors, about.slice(about.indexOf(':') + 1), ['--list-devices'], {
        deadlineMs: devicesDeadlineMs,
        signal,
        read: gpuLimit,
      }),
  })
}

export interface ToolQuestion<Value> {
  readonly deadlineMs: number
  readonly signal: AbortSignal
  /** Pure. */
  readonly read: (stdout: string) => Answer<Value>
}

/** What `read` makes of the tool's output, also of one that ended with an error: half an answer is one. */
export async function askTool<Value>(
  { runTool }: Pick<SystemDoors, 'runTool'>,
  file: string,
  args: readonly string[],
  { deadlineMs, signal, read }: ToolQuestion<Value>,
): Promise<Answer<Value>> {
  const result = await runTool(file, args, { deadlineMs, signal })
  if (result.kind === 'failed') return unknown(result.reason)
  const answer = read(result.stdout)
  return answer.kind === 'unknown' && result.failure !== null ? unknown(result.failure) : answer
}
