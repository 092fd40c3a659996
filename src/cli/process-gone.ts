/** Whether a process has really ended. */
import { readFile } from 'node:fs/promises'
import { errnoOf } from '../errors.ts'

/** True when no process has this pid, or only its zombie that nobody collected yet. */
export async function isGone(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: the number now belongs to somebody else's process.
    return errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EPERM'
  }
  if (process.platform !== 'linux') return false
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // "pid (name) state ...": the name may hold spaces and brackets.
  return line === '' || line.slice(line.lastIndexOf(')') + 2).startsWith('Z')
}
