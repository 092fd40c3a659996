/** What can be wrong with the files of the service on a Mac: its plist, its program, its folders. One judge for each. Pure. */
import { sep } from 'node:path'
import type { Finding } from '../finding.ts'
import type { LaunchdFacts } from './launchd-facts.ts'
import { quote } from './step-text.ts'

const INSTALL = 'oss20bd install'
/** Reading there needs a permission that a service is never asked for. */
const PRIVATE_FOLDERS = ['Documents', 'Desktop', 'Downloads']

export function plistGone({ printed, plist, plistFile }: LaunchdFacts): Finding | null {
  if (printed === null || plist !== null) return null
  return {
    id: 'plist-gone',
    what: 'The service will not come back after a login: its plist is missing',
    why: `${plistFile} is not there`,
    mend: INSTALL,
  }
}

export function plistUnsafe({ plist, plistFile }: LaunchdFacts): Finding | null {
  if (plist === null || (plist.isSafe && plist.read !== null)) return null
  return {
    id: 'plist-unsafe',
    what: 'launchd will refuse the plist at the next login',
    why: `${plistFile} ${plist.read === null ? 'is no plist' : 'is a link, not yours, or others may write to it'}`,
    mend: INSTALL,
  }
}

/** launchd goes by what it read when the plist was loaded. */
export function plistChanged({ plist, printed }: LaunchdFacts): Finding | null {
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

/** What is not told counts as the same. */
function same(shown: number | null, written: number | null): boolean {
  return shown === null || written === null || shown === written
}

type Read = NonNullable<NonNullable<LaunchdFacts['plist']>['read']>

function differencesFrom(read: Read, printed: NonNullable<LaunchdFacts['printed']>): string[] {
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

export function wrongProcessType({ printed, plist }: LaunchdFacts): Finding | null {
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

export function oldVersion({ plist }: LaunchdFacts): Finding | null {
  if (plist === null || plist.read === null || plist.differing.length === 0) return null
  return {
    id: 'old-plist',
    what: 'The plist is of another version of oss20bd',
    why: `these keys differ from what this version writes: ${plist.differing.join(', ')}`,
    mend: INSTALL,
  }
}

export function oldProgram({ program, wantedProgram, plist }: LaunchdFacts): Finding | null {
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

export function shimGone({ shim, plist }: LaunchdFacts): Finding | null {
  if (plist === null || shim.isThere) return null
  return {
    id: 'shim-gone',
    what: 'The program that launchd starts is missing',
    why: `${shim.file} is not there, or may not be run`,
    mend: INSTALL,
  }
}

export function programGone({ program, plist }: LaunchdFacts): Finding | null {
  if (plist === null || program?.isThere === true) return null
  return {
    id: 'program-gone',
    what: "The service's copy of oss20bd is missing",
    why: `${program?.folder ?? 'the record of it'} is not there`,
    mend: INSTALL,
  }
}

export function nodeGone({ node, plist }: LaunchdFacts): Finding | null {
  if (plist === null || node?.isThere === true) return null
  return {
    id: 'node-gone',
    what: 'The Node of the installation is gone: at each start another one is looked for',
    why: `${node?.file ?? 'the record of it'} is not there`,
    mend: INSTALL,
  }
}

export function logFolderMissing({ logFolder, plist }: LaunchdFacts): Finding | null {
  if (plist === null || logFolder.isThere) return null
  return {
    id: 'log-folder-missing',
    what: 'The folder of the logs is missing: launchd will not start the service (78)',
    why: `${logFolder.path} is not there`,
    mend: INSTALL,
  }
}

export function privateModel({ model, models, home, plist }: LaunchdFacts): Finding | null {
  const folders = [...PRIVATE_FOLDERS.map((name) => `${home}${sep}${name}`), '/Volumes']
  const folder = folders.find((one) => model.startsWith(`${one}${sep}`))
  if (folder === undefined || plist === null) return null
  const place = quote(`${models}${sep}${model.split(sep).at(-1) ?? ''}`)
  return {
    id: 'private-model',
    what: 'macOS lets no service read the model where it is, and does not ask',
    why: `${model} is in ${folder}, which privacy protection closes`,
    mend: `mv ${quote(model)} ${place} && oss20bd install --set model.path=${place}`,
  }
}
