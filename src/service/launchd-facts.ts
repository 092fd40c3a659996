/** Gathers what can be known of the service on a Mac. Changes nothing; what cannot be told is null. */
import { constants } from 'node:fs'
import { access, lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { followLinks } from './follow-links.ts'
import { readFileVault } from './install-refusal.ts'
import { nodeFile, packageFile, shimFile } from './installed-program.ts'
import {
  isDisabled,
  isOnDemandOnly,
  type ListedService,
  parseList,
  parsePrint,
  type PrintedService,
} from './launchctl-print.ts'
import { domainOf, launchd, targetOf } from './launchd.ts'
import { differingKeys, fillPlist, readPlist, type ReadPlist } from './launchd-plist.ts'
import { isAllowedInLoginItems } from './login-items.ts'
import type { RunCommand, ServiceSpec } from './service.ts'
import { LABEL } from './unit-file.ts'

export interface LaunchdFacts {
  readonly label: string
  readonly target: string
  readonly plistFile: string
  /** null when there is no file. */
  readonly plist: PlistFile | null
  /** null when launchd does not know the service. */
  readonly printed: PrintedService | null
  /** Why launchctl could not be asked; null when it could. 112 and 125: no session at the screen. */
  readonly domainCode: number | null
  readonly disabled: boolean
  readonly onDemandOnly: boolean | null
  readonly allowedInLoginItems: boolean | null
  readonly fileVault: boolean | null
  readonly shim: { readonly file: string; readonly isThere: boolean }
  /** What the shim is told; null when the record is missing. */
  readonly node: { readonly file: string; readonly isThere: boolean } | null
  readonly program: { readonly folder: string; readonly isThere: boolean } | null
  /** The copy that `install` would make of this package. */
  readonly wantedProgram: string
  readonly logFolder: { readonly path: string; readonly isThere: boolean }
  /** The model file, links followed. */
  readonly model: string
  readonly home: string
  /** Where the models are kept. */
  readonly models: string
  readonly services: readonly ListedService[]
  /** Other plists that start an oss20bd. */
  readonly others: readonly { readonly file: string; readonly label: string }[]
  readonly port: number
  /** Who listens on the port; null when nobody does, or nobody can tell. */
  readonly portHolder: { readonly pid: number; readonly name: string } | null
}

interface PlistFile {
  readonly read: ReadPlist | null
  /** Not a link, the user's own, nobody else may write to it. */
  readonly isSafe: boolean
  /** The keys that this version would write otherwise. */
  readonly differing: readonly string[]
}

export interface LaunchdQuestions {
  readonly spec: ServiceSpec
  readonly model: string
  readonly models: string
  readonly port: number
  readonly portHolder: LaunchdFacts['portHolder']
  readonly run: RunCommand
}

export async function gatherLaunchd(asked: LaunchdQuestions): Promise<LaunchdFacts> {
  const { spec, run } = asked
  const plistFile = launchd.unitFile(spec)
  const node = await firstLine(nodeFile(spec))
  const program = await firstLine(packageFile(spec))
  const shim = shimFile(spec)
  return {
    label: LABEL,
    target: targetOf(spec),
    plistFile,
    plist: await readPlistFile(plistFile, spec),
    ...(await askLaunchctl(spec, run)),
    fileVault: readFileVault((await run(['fdesetup', 'status'])).stdout),
    shim: { file: shim, isThere: await isRunnable(shim) },
    node: node === null ? null : { file: node, isThere: await isRunnable(node) },
    program:
      program === null
        ? null
        : { folder: program, isThere: await isReadable(join(program, 'bin', 'oss20bd')) },
    wantedProgram: spec.program.name,
    logFolder: { path: spec.folders.logs, isThere: await isReadable(spec.folders.logs) },
    model: await followLinks(asked.model),
    home: spec.user.home,
    models: asked.models,
    others: await otherPlists(spec),
    port: asked.port,
    portHolder: asked.portHolder,
  }
}

type Asked = Pick<
  LaunchdFacts,
  'printed' | 'domainCode' | 'disabled' | 'onDemandOnly' | 'allowedInLoginItems' | 'services'
>

async function askLaunchctl(spec: ServiceSpec, run: RunCommand): Promise<Asked> {
  const domain = domainOf(spec)
  const printed = await run(['launchctl', 'print', targetOf(spec)])
  const whole = await run(['launchctl', 'print', domain])
  const records = await run(['launchctl', 'print-disabled', domain])
  const list = await run(['launchctl', 'list'])
  // Without root it tells nothing.
  const items = process.getuid?.() === 0 ? await run(['sfltool', 'dumpbtm']) : null
  return {
    printed: printed.exitCode === 0 ? parsePrint(printed.stdout) : null,
    domainCode: whole.exitCode === 0 ? null : whole.exitCode,
    disabled: isDisabled(records.stdout, LABEL),
    onDemandOnly: isOnDemandOnly(whole.stdout),
    allowedInLoginItems: isAllowedInLoginItems(items?.stdout ?? '', LABEL),
    services: parseList(list.stdout),
  }
}

async function readPlistFile(file: string, spec: ServiceSpec): Promise<PlistFile | null> {
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) return null
  const found = await lstat(file)
  const { mode, uid } = found
  const owner = spec.scope === 'system' ? 0 : spec.user.uid
  return {
    read: readPlist(text),
    isSafe: !found.isSymbolicLink() && uid === owner && (mode & 0o022) === 0,
    differing: differingKeys(text, fillPlist(spec)),
  }
}

/** Beside ours, and where installers for all users put theirs. */
async function otherPlists(spec: ServiceSpec): Promise<LaunchdFacts['others']> {
  const folders = [
    join(spec.user.home, 'Library', 'LaunchAgents'),
    '/Library/LaunchAgents',
    '/Library/LaunchDaemons',
  ]
  const found = await Promise.all(folders.map(plistsIn))
  return found.flat().flatMap(({ file, read }) => {
    const isOurs = read.programArguments.some((word) => /(?:^|\/)oss20bd(?:$|\/)/.test(word))
    return isOurs && file !== launchd.unitFile(spec) && read.label !== null
      ? [{ file, label: read.label }]
      : []
  })
}

async function plistsIn(
  folder: string,
): Promise<readonly { readonly file: string; readonly read: ReadPlist }[]> {
  const names = await readdir(folder).catch(() => [])
  const read = await Promise.all(
    names
      .filter((name) => name.endsWith('.plist'))
      .map(async (name) => {
        const file = join(folder, name)
        const text = await readFile(file, 'utf8').catch(() => '')
        return { file, read: readPlist(text) }
      }),
  )
  return read.flatMap(({ file, read: plist }) => (plist === null ? [] : [{ file, read: plist }]))
}

async function firstLine(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => null)
  return text?.split('\n')[0] ?? null
}

function isRunnable(file: string): Promise<boolean> {
  return may(file, constants.X_OK)
}

function isReadable(file: string): Promise<boolean> {
  return may(file, constants.R_OK)
}

async function may(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  )
}
