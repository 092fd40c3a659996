/** The doctor's look at the machine: what it is, and whether it lacks something. */
import { access, constants, statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import { systemClock } from '../../clock.ts'
import { type Judge, judgeAll } from '../../finding.ts'
import {
  type CrossCheck,
  crossCheckMemory,
  type MachineFacts,
  readMachineFacts,
} from '../../memory/machine-facts.ts'
import { formatBytes } from '../../units.ts'
import type { Context } from '../command.ts'
import { askIfRunning } from '../control-client.ts'
import type { DoctorPart, Examined } from './part.ts'

export interface MachineState extends MachineFacts {
  readonly platform: NodeJS.Platform
  readonly totalBytes: number
  /** What another reader says of the memory in use beside ours; null when one of them says nothing. */
  readonly memoryInUse: CrossCheck | null
  /** On the disk of the models. */
  readonly freeDiskBytes: number | null
  /** What a build of the engine needs and is not there. */
  readonly missingTools: readonly string[]
  /** There is an engine already, so that no tool is needed now. */
  readonly hasEngine: boolean
}

export const machinePart: DoctorPart = {
  name: 'machine',
  examine: async (context) => {
    const { platform } = process
    const built = join(context.paths.engines, 'current', 'bin', 'llama-server')
    const [machine, memoryInUse, freeDiskBytes, missingTools, hasEngine] = await Promise.all([
      readMachineFacts(systemClock),
      checkMemory(context),
      freeBytes(context.paths.home),
      findMissing(['git', 'cmake', 'c++'], context),
      isExecutable(built),
    ])
    const known = {
      platform,
      totalBytes: totalmem(),
      memoryInUse,
      freeDiskBytes,
      missingTools,
      hasEngine,
    }
    return examineMachine({ ...machine, ...known })
  },
}

/** With what the daemon reads: its tools need not be asked a second time. */
async function checkMemory({ paths }: Context): Promise<CrossCheck | null> {
  const status = await askIfRunning(paths.controlSocket)
  const availableBytes = status?.memory.availableBytes ?? null
  const ours = { totalBytes: totalmem(), availableBytes }
  const answer = await crossCheckMemory(ours, process.platform, systemClock)
  return answer.kind === 'known' ? answer.value : null
}

async function freeBytes(folder: string): Promise<number | null> {
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: null, bsize: 0 }))
  return bavail === null ? null : bavail * bsize
}

async function findMissing(tools: readonly string[], { env }: Context): Promise<string[]> {
  const folders = (env['PATH'] ?? '').split(delimiter)
  const found = await Promise.all(
    tools.map(async (tool) => {
      const there = await Promise.all(folders.map((folder) => isExecutable(join(folder, tool))))
      return there.includes(true)
    }),
  )
  return tools.filter((_tool, index) => found[index] !== true)
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Pure. */
export function examineMachine(state: MachineState): Examined {
  const { chip, system, totalBytes, freeDiskBytes } = state
  const disk = freeDiskBytes === null ? null : `${formatBytes(freeDiskBytes)} of disk free`
  const parts = [chip, system, `${formatBytes(totalBytes)} of memory`, usedWords(state), disk]
  return {
    state: parts.filter((part) => part !== null).join(', '),
    findings: judgeAll([fullDisk, missingTools], state),
  }
}

function usedWords({ memoryInUse }: MachineState): string | null {
  if (memoryInUse === null) return null
  const { usedBytes, otherUsedBytes, agrees } = memoryInUse
  const other = agrees ? '' : ` (another reader says ${formatBytes(otherUsedBytes)})`
  return `${formatBytes(usedBytes)} of it in use${other}`
}

/** Less, and neither a log nor a download can be written; macOS swaps to this disk as well (facts: half of the memory). */
const minDiskBytes = 2 * 2 ** 30

const fullDisk: Judge<MachineState> = ({ platform, totalBytes, freeDiskBytes }) => {
  const wanted = platform === 'darwin' ? Math.max(minDiskBytes, totalBytes / 2) : minDiskBytes
  if (freeDiskBytes === null || freeDiskBytes >= wanted) return null
  return {
    id: 'disk-full',
    what: 'The disk is nearly full',
    why: `${formatBytes(freeDiskBytes)} are free, ${formatBytes(wanted)} are wanted${platform === 'darwin' ? ' for swap files' : ''}`,
    mend: 'oss20bd models',
  }
}

const missingTools: Judge<MachineState> = ({ platform, missingTools: missing, hasEngine }) => {
  if (missing.length === 0 || hasEngine) return null
  return {
    id: 'tools-missing',
    what: 'The engine cannot be compiled',
    why: `${missing.join(', ')} cannot be found`,
    mend:
      platform === 'darwin'
        ? missing.includes('cmake')
          ? 'brew install cmake'
          : 'xcode-select --install'
        : 'sudo apt-get install git cmake g++',
  }
}
