/** What can be wrong with the service on a Mac: one judge for each. Pure. */
import { sep } from 'node:path'
import { type Finding, type Judge, judgeAll } from '../finding.ts'
import { HOMEBREW_PREFIX } from './install-refusal.ts'
import type { LaunchdFacts } from './launchd-facts.ts'

const INSTALL = 'oss20bd install'
const LOGIN_ITEMS = 'open "x-apple.systempreferences:com.apple.LoginItems-Settings.extension"'
/** No such domain; a domain that does not do this. */
const NO_SESSION: readonly (number | null)[] = [112, 125]
/** Reading there needs a permission that a service is never asked for. */
const PRIVATE_FOLDERS = ['Documents', 'Desktop', 'Downloads']

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
  if (plist === null || !NO_SESSION.includes(domainCode)) return null
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
  const isOther = (is: string | null, wanted: string): boolean => is !== null && is !== wanted
  if (!isOther(program, shim.file) && !isOther(path, plistFile)) return null
  return {
    id: 'wrong-program',
    what: `launchd runs another program under the name of the service: ${program ?? 'unknown'}`,
    why: `it was loaded from ${path ?? 'unknown'}`,
    mend: INSTALL,
  }
}

function plistGone({ printed, plist, plistFile }: LaunchdFacts): Finding | null {
  if (printed === null || plist !== null) return null
  return {
    id: 'plist-gone',
    what: 'The service will not come back after a login: its plist is missing',
    why: `${plistFile} is not there`,
    mend: INSTALL,
  }
}

function plistUnsafe({ plist, plistFile }: LaunchdFacts): Finding | null {
  if (plist === null || (plist.isSafe && plist.read !== null)) return null
  return {
    id: 'plist-unsafe',
    what: 'launchd will refuse the plist at the next login',
    why: `${plistFile} ${plist.read === null ? 'is no plist' : 'is a link, not yours, or others may write to it'}`,
    mend: INSTALL,
  }
}

/** launchd goes by what it read when the plist was loaded. */
function plistChanged({ plist, printed }: LaunchdFacts): Finding | null {
  if (printed === null || plist?.read == null) return null
  const differing = differencesFrom(plist.read, printed)
  if (differing.length === 0) return null
  return {
    id: 'plist-changed',
    what: 'The plist was changed after it was loaded: launchd goes by the old one',
    why: `these differ: ${differing.join(', ')}`,
    mend: 'oss20bd restart --daemon',
  }
}

type Read = NonNullable<NonNullable<LaunchdFacts['plist']>['read']>

function differencesFrom(read: Read, printed: NonNullable<LaunchdFacts['printed']>): string[] {
  const same = (shown: number | null, written: number | null): boolean =>
    shown === null || written === null || shown === written
  const shown = printed.arguments
  return [
    ...(shown.length === 0 || shown.join('\n') === read.programArguments.join('\n')
      ? []
      : ['ProgramArguments']),
    ...(same(printed.exitTimeoutSeconds, read.exitTimeOut) ? [] : ['ExitTimeOut']),
    ...(same(printed.minimumRuntimeSeconds, read.throttleInterval) ? [] : ['ThrottleInterval']),
    ...(environmentIsSame(read, printed) ? [] : ['EnvironmentVariables']),
  ]
}

/** launchd shows more variables than the plist has. */
function environmentIsSame(
  read: Read,
  { environment }: NonNullable<LaunchdFacts['printed']>,
): boolean {
  const written = Object.entries(read.environment)
  return environment.size === 0 || written.every(([name, value]) => environment.get(name) === value)
}

function wrongProcessType({ printed, plist }: LaunchdFacts): Finding | null {
  const spawn = printed?.spawnType ?? null
  const isWritten = plist?.read == null || plist.read.processType === 'Interactive'
  if (isWritten && (spawn === null || spawn.startsWith('interactive'))) return null
  return {
    id: 'wrong-process-type',
    what: 'macOS slows the daemon and its engine down as work that nobody waits for',
    why: `spawn type ${spawn ?? 'unknown'}, ProcessType ${plist?.read?.processType ?? 'not set'}; it must be Interactive`,
    mend: INSTALL,
  }
}

function oldVersion({ plist }: LaunchdFacts): Finding | null {
  if (plist === null || plist.read === null || plist.differing.length === 0) return null
  return {
    id: 'old-plist',
    what: 'The plist is of another version of oss20bd',
    why: `these keys differ from what this version writes: ${plist.differing.join(', ')}`,
    mend: INSTALL,
  }
}

function oldProgram({ program, wantedProgram, plist }: LaunchdFacts): Finding | null {
  if (plist === null || program === null || !program.isThere) return null
  const name = program.folder.split(sep).at(-1) ?? ''
  if (name === wantedProgram) return null
  return {
    id: 'old-program',
    what: 'The service runs another version than this command',
    why: `it runs ${name}, this is ${wantedProgram}`,
    mend: INSTALL,
  }
}

function shimGone({ shim, plist }: LaunchdFacts): Finding | null {
  if (plist === null || shim.isThere) return null
  return {
    id: 'shim-gone',
    what: 'The program that launchd starts is missing',
    why: `${shim.file} is not there, or may not be run`,
    mend: INSTALL,
  }
}

function programGone({ program, plist }: LaunchdFacts): Finding | null {
  if (plist === null || program?.isThere === true) return null
  return {
    id: 'program-gone',
    what: "The service's copy of oss20bd is missing",
    why: `${program?.folder ?? 'the record of it'} is not there`,
    mend: INSTALL,
  }
}

function nodeGone({ node, plist }: LaunchdFacts): Finding | null {
  if (plist === null || node?.isThere === true) return null
  return {
    id: 'node-gone',
    what: 'The Node of the installation is gone: at each start another one is looked for',
    why: `${node?.file ?? 'the record of it'} is not there`,
    mend: INSTALL,
  }
}

function logFolderMissing({ logFolder, plist }: LaunchdFacts): Finding | null {
  if (plist === null || logFolder.isThere) return null
  return {
    id: 'log-folder-missing',
    what: 'The folder of the logs is missing: launchd will not start the service (78)',
    why: `${logFolder.path} is not there`,
    mend: INSTALL,
  }
}

function privateModel({ model, home, plist }: LaunchdFacts): Finding | null {
  const folders = [...PRIVATE_FOLDERS.map((name) => `${home}${sep}${name}`), '/Volumes']
  const folder = folders.find((one) => model.startsWith(`${one}${sep}`))
  if (folder === undefined || plist === null) return null
  const name = model.split(sep).at(-1) ?? ''
  return {
    id: 'private-model',
    what: 'macOS lets no service read the model where it is, and does not ask',
    why: `${model} is in ${folder}, which privacy protection closes`,
    mend: `mv ${quoted(model)} ${quoted(`${home}/Library/Application Support/oss20bd/models/${name}`)}`,
  }
}

function homebrewService({ services }: LaunchdFacts): Finding | null {
  const label = `${HOMEBREW_PREFIX}oss20bd`
  if (!services.some((one) => one.label === label)) return null
  return {
    id: 'homebrew-service',
    what: 'Homebrew runs oss20bd as a service too: the two fight over the port',
    why: `launchctl list names ${label}`,
    mend: 'brew services stop oss20bd',
  }
}

function leftover({ others }: LaunchdFacts): Finding | null {
  const other = others.find(({ label }) => !label.startsWith(HOMEBREW_PREFIX))
  if (other === undefined) return null
  return {
    id: 'leftover',
    what: `Another service starts oss20bd too: ${other.label}`,
    why: `${other.file} names it`,
    mend: `launchctl bootout gui/$(id -u)/${other.label}; rm ${quoted(other.file)}`,
  }
}

function portTaken({ portHolder, printed, port, services }: LaunchdFacts): Finding | null {
  if (portHolder === null || portHolder.pid === printed?.pid) return null
  const { pid, name } = portHolder
  const label = services.find((one) => one.pid === pid)?.label ?? null
  return {
    id: 'port-taken',
    what: `Another program has the port ${port}: ${label ?? name}`,
    why: `${name} (pid ${pid}) listens on it`,
    mend: mendPort(label, pid, name, port),
  }
}

function mendPort(label: string | null, pid: number, name: string, port: number): string {
  if (label?.startsWith(HOMEBREW_PREFIX) === true) {
    return `brew services stop ${label.slice(HOMEBREW_PREFIX.length)}`
  }
  if (/oss20bd/.test(label ?? name))
    return label === null ? `kill ${pid}` : `launchctl remove ${label}`
  return `oss20bd install --set proxy.port=${port + 1}`
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`
}
