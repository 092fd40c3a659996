/** Runs scripts/build-llama.sh and shows how far it is. */
import { execa } from 'execa'
import { join } from 'node:path'
import { messageOf, Oss20bdError } from '../errors.ts'
import type { Context } from './command.ts'
import type { Progress } from './progress.ts'

const MAX_ERROR_LINES = 40

export interface BuildChoice {
  readonly git?: string | undefined
  readonly source?: string | undefined
  readonly jobs?: number | undefined
  readonly cpuOnly?: boolean
  /** Beside the current engine, which stays the current one. */
  readonly beside?: boolean
}

export interface BuiltEngine {
  /** The installed engine's folder. */
  readonly folder: string
  /** What the script said last: that it was installed, or that it was there already. */
  readonly note: string
}

/** Compiles and installs what is missing; quick when all is there. Throws `build-failed` with the script's own words. */
export async function buildEngine(
  context: Context,
  choice: BuildChoice,
  progress: Pick<Progress, 'update'>,
): Promise<BuiltEngine> {
  const { paths, env, root } = context
  const script = join(root, 'scripts', 'build-llama.sh')
  const child = execa('bash', [script, ...scriptArgs(choice, paths.engines)], {
    // The script would look for the cache by itself, but must not look elsewhere than we do.
    env: { ...env, OSS20BD_CACHE: paths.cache },
    stdin: 'ignore',
    buffer: false,
    reject: false,
    // The script ends its compilers when it is told to end.
    forceKillAfterDelay: 10_000,
  })
  const said: string[] = []
  const errors = keepFirst(child.iterable({ from: 'stderr' }), said)
  const built = await readProgress(child.iterable({ from: 'stdout' }), progress)
  await errors
  const result = await child
  if (result.exitCode === 0 && built !== null) return built
  throw explainFailure(said, result.exitCode, result.cause)
}

function scriptArgs(choice: BuildChoice, engines: string): readonly string[] {
  const { git, source, jobs, cpuOnly = false, beside = false } = choice
  return [
    '--progress',
    '--prefix',
    engines,
    ...(git === undefined ? [] : ['--git', ...(git === '' ? [] : [git])]),
    ...(source === undefined ? [] : ['--source', source]),
    ...(jobs === undefined ? [] : ['--jobs', String(jobs)]),
    ...(cpuOnly ? ['--cpu-only'] : []),
    ...(beside ? ['--no-current'] : []),
  ]
}

async function readProgress(
  lines: AsyncIterable<string>,
  progress: Pick<Progress, 'update'>,
): Promise<BuiltEngine | null> {
  let folder: string | null = null
  let note = ''
  for await (const line of lines) {
    const step = /^progress (\d+) (.*)$/.exec(line)
    if (step?.[1] !== undefined && step[2] !== undefined) {
      note = step[2]
      progress.update(Number(step[1]) / 100, note)
    }
    folder = /^engine (.+)$/.exec(line)?.[1] ?? folder
  }
  return folder === null ? null : { folder, note }
}

async function keepFirst(lines: AsyncIterable<string>, kept: string[]): Promise<void> {
  for await (const line of lines) if (kept.length < MAX_ERROR_LINES) kept.push(line)
}

/** The script's first line says what and why; the others what to do, or where the whole log is. */
function explainFailure(
  said: readonly string[],
  exitCode: number | undefined,
  cause: unknown,
): Oss20bdError {
  const [first, ...rest] = said.filter((line) => line.trim() !== '')
  const missingTool = first?.includes(': missing ') === true
  const code = exitCode === 2 ? 'usage' : missingTool ? 'tool-missing' : 'build-failed'
  const how = exitCode === undefined ? messageOf(cause) : `it ended with status ${exitCode}`
  return new Oss20bdError(code, first ?? `Cannot build llama-server: ${how}`, {
    hint:
      rest.length > 0
        ? rest.map((line) => line.trim()).join('\n  ')
        : 'Run it by hand: scripts/build-llama.sh',
    cause,
  })
}
