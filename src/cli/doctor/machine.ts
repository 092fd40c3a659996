/** The doctor's look at the machine: what it is, and whether it lacks something. */
import { statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import { systemClock } from '../../clock.ts'
import { errnoOf } from '../../errors.ts'
import { type Judge, judgeAll } from '../../finding.ts'
import { type CrossCheck, crossCheckMemory, type MachineFacts } from '../../memory/machine-facts.ts'
import { formatBytes } from '../../units.ts'
import type { DoctorPart, Examined } from './part.ts'
import type { Visit } from './visit.ts'

export interface MachineState extends MachineFacts {
  readonly platform: NodeJS.Platform
  readonly totalBytes: number
  /** What another reader says of the memory in use beside ours; null when one of them says nothing. */
  readonly memoryInUse: CrossCheck | null
  /** On the disk of the models. */
  readonly freeDiskBytes: number | null
}

export const machinePart: DoctorPart = {
  name: 'machine',
  examine: async (context, visit) => {
    const { platform } = visit
    const [machine, memoryInUse, freeDiskBytes] = await Promise.all([
      visit.machine(),
      checkMemory(visit),
      freeBytes(context.paths.models),
    ])
    const known = { platform, totalBytes: totalmem(), memoryInUse, freeDiskBytes }
    return examineMachine({ ...machine, ...known })
  },
}

/** With what the daemon reads: its tools need not be asked a second time. */
async function checkMemory({ status, platform }: Visit): Promise<CrossCheck | null> {
  const availableBytes = (await status())?.memory.availableBytes ?? null
  const ours = { totalBytes: totalmem(), availableBytes }
  const answer = await crossCheckMemory(ours, platform, systemClock)
  return answer.kind === 'known' ? answer.value : null
}

/** Of the folder, or where it will be made. */
async function freeBytes(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch (error) {
    const isMissing = errnoOf(error) === 'ENOENT' && dirname(folder) !== folder
    return isMissing ? freeBytes(dirname(folder)) : null
  }
}

/** Pure. */
export function examineMachine(state: MachineState): Examined {
  const { chip, system, totalBytes, freeDiskBytes } = state
  const disk = freeDiskBytes === null ? null : `${formatBytes(freeDiskBytes)} of disk free`
  const parts = [chip, system, `${formatBytes(totalBytes)} of memory`, usedWords(state), disk]
  return {
    state: parts.filter((part) => part !== null).join(', '),
    findings: judgeAll([fullDisk], state),
  }
}

function usedWords({ memoryInUse }: MachineState): string | null {
  if (memoryInUse === null) return null
  const { usedBytes, otherUsedBytes, agrees } = memoryInUse
  const other = agrees ? '' : ` (another reader says ${formatBytes(otherUsedBytes)})`
  return `${formatBytes(usedBytes)} of it in use${other}`
}

/** Less, and neither a log nor a download can be written; macOS swaps to this disk as well, half of its memory and more. */
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
