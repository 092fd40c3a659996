/** How much of the machine the system gives to a process: work that nobody waits for gets the slow cores, and the rest. */
import type { PowerDoors } from './power-state.ts'

export interface Priority {
  /** It has to wait for all other work. */
  readonly isBackground: boolean
  /** `priority 4`, `nice 10`. */
  readonly seen: string
}

const deadlineMs = 5000

/** null when the system does not tell, or there is no such process. Never rejects. */
export async function readPriority(
  pid: number,
  platform: NodeJS.Platform,
  { runTool, readText }: PowerDoors,
): Promise<Priority | null> {
  if (platform !== 'darwin') {
    return parseProcStat(await readText(`/proc/${pid}/stat`).catch(() => ''))
  }
  const args = ['-o', 'pri=,nice=', '-p', String(pid)]
  const result = await runTool('ps', args, { deadlineMs })
  return result.kind === 'ended' ? parsePs(result.stdout) : null
}

/** Threads in the background of macOS (PRIO_DARWIN_BG) have this priority at most (xnu: MAXPRI_THROTTLE); others 31 and more. */
const DARWIN_BACKGROUND = 4

/** `ps -o pri=,nice= -p PID` on macOS. Pure. */
export function parsePs(text: string): Priority | null {
  const [, priority, nice] = /^\s*(\d+)[A-Z]?\s+(-?\d+)\s*$/.exec(text) ?? []
  if (priority === undefined || nice === undefined) return null
  if (Number(nice) > 0) return { isBackground: true, seen: `nice ${nice}` }
  return { isBackground: Number(priority) <= DARWIN_BACKGROUND, seen: `priority ${priority}` }
}

/** `SCHED_IDLE`, of linux/sched.h. */
const LINUX_IDLE = '5'

/** `/proc/PID/stat`: nice is the 19th field and the policy the 41st (proc(5)); the name, the 2nd, may hold anything. Pure. */
export function parseProcStat(text: string): Priority | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const nice = fields[19 - 3]
  if (nice === undefined || !/^-?\d+$/.test(nice)) return null
  if (fields[41 - 3] === LINUX_IDLE) return { isBackground: true, seen: 'SCHED_IDLE' }
  return { isBackground: Number(nice) > 0, seen: `nice ${nice}` }
}
