/** What the exit codes of launchctl mean, in words with what to do. Pure. Its texts may change, its codes do not. */
import type { CommandResult } from './run-command.ts'
import type { Failure } from './step.ts'

/** bootout: it is not loaded. */
const NOT_LOADED = 3
/** print, kickstart, bootout: no such service. */
export const NO_SERVICE = 113
/** bootout goes on in the background; kickstart finds it under way. */
const IN_PROGRESS = 36
export const ALREADY_IN_PROGRESS = 37
/** The old one is being torn down still, or something else is wrong: only trying again tells. */
const CATCH_ALL = 5

/** What bootout answers when there is nothing more for it to do. */
export const BOOTED_OUT: readonly number[] = [
  0,
  NOT_LOADED,
  IN_PROGRESS,
  ALREADY_IN_PROGRESS,
  NO_SERVICE,
]

/** What bootstrap may answer while an older one is on its way out. */
export const MAY_PASS: readonly number[] = [CATCH_ALL, IN_PROGRESS, ALREADY_IN_PROGRESS]

const DOCTOR_HINT = 'See what is wrong: oss20bd doctor'
const LOG_HINT =
  'See what launchd says: log show --last 5m --predicate \'process == "launchd"\' | grep oss20bd'
const FOR_THE_WHOLE_MAC =
  'Install it for the whole Mac, where it needs no session: sudo oss20bd install --system'
const AGAIN = 'Run the command again in a minute'

const MEANING: Readonly<Record<number, Failure>> = {
  3: { message: 'the service is not loaded', hint: 'Load it: oss20bd install' },
  5: {
    message:
      'launchd refuses it without a reason (the old one is not gone, the plist is not yours, or its disk cannot be read)',
    hint: DOCTOR_HINT,
  },
  17: {
    message: 'a service of this name is loaded already',
    hint: 'Load it anew: oss20bd install',
  },
  36: { message: 'launchd is still at work on it', hint: AGAIN },
  37: { message: 'launchd is still at work on it', hint: AGAIN },
  110: { message: 'launchd cannot read the plist', hint: 'Write it anew: oss20bd install' },
  111: { message: 'launchd cannot read the plist', hint: 'Write it anew: oss20bd install' },
  112: { message: 'you have no session at the screen of this Mac', hint: FOR_THE_WHOLE_MAC },
  113: {
    message: 'launchd does not know the service',
    hint: 'Load it: oss20bd install. If it stays so: System Settings > General > Login Items, allow "oss20bd" in the background',
  },
  119: {
    message: 'the service is disabled',
    hint: 'Enable it: oss20bd start. If it stays so: System Settings > General > Login Items, allow "oss20bd" in the background',
  },
  122: {
    message: 'the plist or its folder belongs to somebody else, or others may write to it',
    // The plist is written anew by the install.
    hint: 'Make the folder yours alone: sudo install -d -o "$(id -un)" -m 755 ~/Library/LaunchAgents && oss20bd install',
  },
  124: { message: 'you are being logged out', hint: 'Log in, then run the command again' },
  125: {
    message: 'this session cannot have services (ssh, or sudo)',
    hint: 'Run the same command in the Terminal of the Mac itself, without sudo',
  },
  133: { message: 'launchd names several faults', hint: DOCTOR_HINT },
  134: { message: 'the service is not meant for this kind of session', hint: FOR_THE_WHOLE_MAC },
  155: {
    message: 'a file of oss20bd is quarantined, as downloads by a browser are',
    hint: 'Let it run: xattr -dr com.apple.quarantine "$(npm root -g)/oss20bd" && oss20bd install',
  },
}

/** The code alone decides; what launchctl wrote is shown for a code that is not known. */
export function explainLaunchctl({ exitCode, stderr }: CommandResult): Failure {
  const [said = ''] = stderr.trim().split('\n')
  if (exitCode === null) {
    return { message: said === '' ? 'launchctl cannot be run' : said, hint: 'Is this a Mac?' }
  }
  const { message, hint } = MEANING[exitCode] ?? { message: said, hint: LOG_HINT }
  return { message: `${message} (launchctl: ${exitCode})`, hint }
}
