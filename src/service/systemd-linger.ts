/** Whether a user's services outlive the user's sessions, and what to say about it. */
import type { RunCommand } from './service.ts'

type Linger = 'on' | 'off' | 'unknown'

/** Looks, changes nothing. */
export async function readLinger(userName: string, run: RunCommand): Promise<Linger> {
  const result = await run(['loginctl', 'show-user', userName, '--property=Linger'])
  if (/^Linger=yes$/m.test(result.stdout)) return 'on'
  if (/^Linger=no$/m.test(result.stdout)) return 'off'
  // A user without any session, who would be known if services of that user could stay.
  return /not logged in or lingering/i.test(result.stderr) ? 'off' : 'unknown'
}

/**
 * What `oss20bd install` tells of it; null when there is nothing to tell. It is never turned on for
 * the user: it lets all of their services run without them, and that is theirs to decide. Pure.
 */
export function lingerAdvice(userName: string, linger: Linger): string | null {
  const turnOn = `loginctl enable-linger ${userName}`
  switch (linger) {
    case 'on':
      return null
    case 'off':
      return `It ends when you log out and starts again when you log in: Linux keeps the services of a user only while that user is logged in. To keep it running, also after a reboot, run: ${turnOn}`
    case 'unknown':
      return `It may end when you log out: whether this machine keeps the services of a user who is not logged in could not be found out. To make sure, run: ${turnOn}`
  }
}
