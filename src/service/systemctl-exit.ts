/** Why systemctl could not do what it was told. Pure. */
import type { CommandResult } from './run-command.ts'
import type { Failure } from './step.ts'

interface Known {
  readonly said: RegExp
  readonly message: string
  readonly hint: string
}

const KNOWN: readonly Known[] = [
  {
    said: /not been booted with systemd/i,
    message: 'this machine is not run by systemd',
    hint: 'Use it without a service: oss20bd start',
  },
  {
    // `su`, `sudo` and cron give a shell without the user's own manager.
    said: /failed to connect to (?:user scope )?bus|XDG_RUNTIME_DIR/i,
    message: 'the systemd of this user cannot be reached from this shell',
    hint: 'Log in as this user (ssh, a console, or: machinectl shell USER@), not with su or sudo, and run the same command again',
  },
  {
    said: /is masked/i,
    message: 'the service is masked: somebody told systemd never to start it',
    hint: 'Run: systemctl --user unmask oss20bd.service, then the same command again',
  },
  {
    said: /access denied|interactive authentication required|permission denied/i,
    message: 'systemd does not let this user do that',
    hint: 'A service of the whole machine needs root: run the same command with sudo',
  },
]

export function explainSystemctl({ exitCode, stderr }: CommandResult): Failure {
  const said = stderr.trim().split('\n')[0] ?? ''
  if (exitCode === null) {
    return {
      message: `systemctl cannot be run: ${said}`,
      hint: 'Without systemd, use it without a service: oss20bd start',
    }
  }
  const known = KNOWN.find((one) => one.said.test(stderr))
  if (known !== undefined) return { message: `${known.message} (${said})`, hint: known.hint }
  return {
    message: `systemctl ended with status ${exitCode}${said === '' ? '' : `: ${said}`}`,
    hint: 'See what systemd says: systemctl --user status oss20bd.service',
  }
}
