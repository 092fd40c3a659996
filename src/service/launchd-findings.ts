/** What can be wrong with the service on a Mac: one judge for each. Pure. */
import { type Finding, type Judge, judgeAll } from '../finding.ts'
import type { LaunchdFacts } from './launchd-facts.ts'
import {
  logFolderMissing,
  nodeGone,
  oldProgram,
  oldVersion,
  plistChanged,
  plistGone,
  plistUnsafe,
  privateModel,
  programGone,
  shimGone,
  wrongProcessType,
} from './launchd-files.ts'
import { homebrewService, leftover, portTaken } from './launchd-neighbours.ts'

const INSTALL = 'oss20bd install'
const LOGIN_ITEMS = 'open "x-apple.systempreferences:com.apple.LoginItems-Settings.extension"'
/** No such domain; a domain that does not do this. */
const NO_SESSION: ReadonlySet<number | null> = new Set([112, 125])

export function judgeLaunchd(facts: LaunchdFacts): readonly Finding[] {
  return judgeAll(JUDGES, facts)
}

const JUDGES: readonly Judge<LaunchdFacts>[] = [
  noSession,
  switchedOff,
  disabled,
  notLoaded,
  penaltyBox,
  throttled,
  onDemandOnly,
  wrongProgram,
  plistGone,
  plistUnsafe,
  plistChanged,
  wrongProcessType,
  oldVersion,
  oldProgram,
  shimGone,
  programGone,
  nodeGone,
  logFolderMissing,
  privateModel,
  homebrewService,
  leftover,
  portTaken,
]

function noSession({ domainCode, fileVault, target, plist }: LaunchdFacts): Finding | null {
  if (plist === null || !NO_SESSION.has(domainCode)) return null
  const vault = fileVault === true ? ', and FileVault keeps it so until somebody logs in' : ''
  return {
    id: 'no-session',
    what: `The service cannot run: nobody is logged in at the screen${vault}`,
    why: `launchctl has no ${target.split('/').slice(0, 2).join('/')} (${domainCode})`,
    mend: 'sudo oss20bd install --system',
  }
}

function switchedOff({ allowedInLoginItems }: LaunchdFacts): Finding | null {
  if (allowedInLoginItems !== false) return null
  return {
    id: 'switched-off',
    what: 'The service is switched off in Login Items: no command can switch it on',
    why: 'sfltool dumpbtm shows it as not allowed',
    mend: LOGIN_ITEMS,
  }
}

function disabled({ disabled: isDisabled, target, plist }: LaunchdFacts): Finding | null {
  if (!isDisabled || plist === null) return null
  return {
    id: 'disabled',
    what: 'The service is disabled: launchd will not load it',
    why: `launchctl print-disabled names ${target}`,
    mend: 'oss20bd start',
  }
}

function notLoaded(facts: LaunchdFacts): Finding | null {
  const { printed, plist, domainCode, allowedInLoginItems } = facts
  const isExplained = facts.disabled || domainCode !== null || allowedInLoginItems === false
  if (printed !== null || plist === null || isExplained) return null
  return {
    id: 'not-loaded',
    what: 'The service is installed and not loaded: it was stopped, or switched off in Login Items',
    why: `launchctl print ${facts.target} knows nothing of it (113)`,
    mend: 'oss20bd start',
  }
}

function penaltyBox({ printed }: LaunchdFacts): Finding | null {
  if (printed === null || printed.pid !== null) return null
  const isRefused = /^78\b|OS_REASON_CODESIGNING/.test(printed.lastExit ?? '')
  if (!printed.properties.includes('penalty box') && !isRefused) return null
  return {
    id: 'penalty-box',
    what: 'launchd cannot start the program and has put the service aside',
    why: seen(printed),
    mend: INSTALL,
  }
}

function throttled(facts: LaunchdFacts): Finding | null {
  const { printed } = facts
  if (printed === null || printed.pid !== null || penaltyBox(facts) !== null) return null
  if (printed.state !== 'spawn scheduled' && (printed.successiveCrashes ?? 0) < 2) return null
  return {
    id: 'throttled',
    what: 'The daemon dies again and again; launchd waits before each new start',
    why: seen(printed),
    mend: 'oss20bd logs -n 50',
  }
}

function seen({ state, lastExit, runs }: NonNullable<LaunchdFacts['printed']>): string {
  const exit = lastExit ?? 'unknown'
  return `state ${state ?? 'unknown'}, last exit ${exit}, ${runs ?? 'an unknown number of'} runs`
}

function onDemandOnly({ onDemandOnly: only, printed }: LaunchdFacts): Finding | null {
  if (only !== true || printed === null || printed.pid !== null) return null
  return {
    id: 'on-demand-only',
    what: 'launchd starts nothing by itself in this session yet',
    why: 'the domain is in on-demand-only mode',
    mend: 'oss20bd start',
  }
}

function wrongProgram({ printed, shim, plistFile }: LaunchdFacts): Finding | null {
  if (printed === null) return null
  const { program, path } = printed
  if ((program ?? shim.file) === shim.file && (path ?? plistFile) === plistFile) return null
  return {
    id: 'wrong-program',
    what: `launchd runs another program under the name of the service: ${program ?? 'unknown'}`,
    why: `it was loaded from ${path ?? 'unknown'}`,
    mend: INSTALL,
  }
}
