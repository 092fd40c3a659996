/** The service of this machine as the CLI sees it: which one, what it would be installed with, and what is there. */
import { readdir, readFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { resolvePaths } from '../config/paths.ts'
import { Oss20bdError, fileError } from '../errors.ts'
import { programName } from '../service/copy-program.ts'
import { programsFolder } from '../service/installed-program.ts'
import { launchd } from '../service/launchd.ts'
import { runCommand } from '../service/run-command.ts'
import type { Found, Service, ServiceKind, ServiceSpec, ServiceState } from '../service/service.ts'
import { systemd } from '../service/systemd.ts'
import type { Context } from './command.ts'
import { askIfRunning } from './control-client.ts'
import { kindHere, type Scope, self } from './find-unit.ts'
import { readSettled, stopLimitMs } from './settings.ts'

export interface ServiceHere {
  /** As given; as root, with the places of the user whose daemon it is. */
  readonly context: Context
  readonly service: Service
  readonly spec: ServiceSpec
}

/** Where the tools of the system and of the package managers are, on both systems. */
const TOOL_FOLDERS = [
  '/opt/homebrew/bin',
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
]

/** Of no use to a daemon, or of no meaning to another start. */
const NOT_KEPT = new Set(['OSS20BD_DEBUG', 'OSS20BD_TEST_ENGINE', 'OSS20BD_TEST_PLATFORM'])
/** They say where Linux has the folders of a user. */
const PLACES = new Set(['XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME'])

const FALLBACK_LIMIT_MS = 60_000

function serviceOf(kind: ServiceKind): Service {
  return kind === 'launchd' ? launchd : systemd
}

/** `look`: nothing is to be changed, so that it needs no root. */
export async function serviceHere(
  given: Context,
  scope: Scope,
  purpose: 'look' | 'change' = 'change',
): Promise<ServiceHere> {
  const service = serviceOf(kindHere(given))
  if (scope === 'user') {
    return { context: given, service, spec: await specOf(given, service, scope, self()) }
  }
  const user =
    purpose === 'look' && process.getuid?.() !== 0 ? self() : await userBehindRoot(service.kind)
  const paths = resolvePaths(process.platform, user.home, given.env)
  const context = { ...given, paths }
  return { context, service, spec: await specOf(context, service, scope, user) }
}

/** What `install` would do on the other system; nothing of this machine but the texts and the settings is in it. */
export async function serviceElsewhere(
  context: Context,
  platform: 'darwin' | 'linux',
  scope: Scope,
): Promise<ServiceHere> {
  const service = serviceOf(platform === 'darwin' ? 'launchd' : 'systemd')
  const { name, uid } = self()
  const home = join(platform === 'darwin' ? '/Users' : '/home', name)
  const user = { name, uid: uid === 0 ? 501 : uid, home }
  const { home: folder, logs } = resolvePaths(platform, home, {})
  // What says where things are here says nothing there.
  const env = Object.fromEntries(
    Object.entries(context.env).filter(
      ([variable]) => !/^(?:XDG_|OSS20BD_(?:HOME|CACHE)$)/.test(variable),
    ),
  )
  const spec = await specOf({ ...context, env }, service, scope, user)
  const node = platform === 'darwin' ? '/opt/homebrew/bin/node' : '/usr/bin/node'
  return { context, service, spec: { ...spec, node, folders: { home: folder, logs } } }
}

/** From boot on: on a Mac only root can have that, on Linux it is a matter of asking. */
function withoutRoot(kind: ServiceKind): string {
  const asRoot = 'As that user run the same command with sudo before it'
  if (kind === 'launchd') return asRoot
  return `${asRoot}; or, as Linux needs no root for it: oss20bd install && loginctl enable-linger`
}

/** Root installs it, the user who called sudo is whom it runs as. */
async function userBehindRoot(kind: ServiceKind): Promise<ServiceSpec['user']> {
  const { SUDO_USER: name = '', SUDO_UID: uid = '' } = process.env
  if (process.getuid?.() !== 0 || !/^[\w.-]+$/.test(name) || !/^\d+$/.test(uid)) {
    throw new Oss20bdError(
      'usage',
      'Cannot change the service of the whole machine: that needs root, and the user whose daemon it is',
      { hint: withoutRoot(kind) },
    )
  }
  // The shell knows where everybody lives, on both systems.
  const { stdout } = await runCommand(['/bin/sh', '-c', `echo ~${name}`])
  return { name, uid: Number(uid), home: stdout.trim() }
}

async function specOf(
  context: Context,
  service: Service,
  scope: Scope,
  user: ServiceSpec['user'],
): Promise<ServiceSpec> {
  const { root, configFile, flags, paths } = context
  // A config that cannot be read must not hinder the end of what runs; install reads it again and says so.
  const limitMs = await readSettled(context).then(
    ({ config }) => stopLimitMs(config),
    fallbackLimit,
  )
  return {
    scope,
    user,
    folders: { home: paths.home, logs: paths.logs },
    node: process.execPath,
    program: { from: root, name: await programName(root) },
    daemonArgs: [
      ...(configFile === null ? [] : ['--config', configFile]),
      ...Object.entries(flags).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    environment: environmentOf(context.env, user.home),
    stopLimitMs: limitMs,
    template: await readText(join(root, service.templateFile)),
    shim: await readText(join(root, 'launchd', 'oss20bd')),
  }
}

function fallbackLimit(error: unknown): number {
  if (error instanceof Oss20bdError) return FALLBACK_LIMIT_MS
  throw error
}

function environmentOf(env: NodeJS.ProcessEnv, home: string): Readonly<Record<string, string>> {
  const kept = Object.entries(env).flatMap(([name, value]) => {
    const wanted = (name.startsWith('OSS20BD_') && !NOT_KEPT.has(name)) || PLACES.has(name)
    return wanted && value !== undefined && value !== '' ? [[name, value] as const] : []
  })
  const folders = new Set([dirname(process.execPath), ...TOOL_FOLDERS])
  return {
    PATH: [...folders].join(delimiter),
    HOME: home,
    LANG: 'C',
    ...Object.fromEntries(kept),
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw fileError('read a part of oss20bd', file, error)
  }
}

/** What is installed and what runs. */
export interface Installed {
  readonly found: Found
  readonly state: ServiceState
  /** Whether the plist or unit file is there. */
  readonly isInstalled: boolean
}

export async function findInstalled({ context, service, spec }: ServiceHere): Promise<Installed> {
  const files = new Map<string, string>()
  for (const file of service.files(spec)) {
    const text = await readFile(file, 'utf8').catch(() => null)
    if (text !== null) files.set(file, text)
  }
  const state = await service.state(spec, runCommand)
  const programs = await readdir(programsFolder(spec)).catch(() => [])
  const loaded = state.kind === 'idle' || state.kind === 'running'
  const servicePid = state.kind === 'running' ? state.pid : null
  const daemonPid = await daemonPidOf(context)
  const backgroundPid = daemonPid === servicePid ? null : daemonPid
  return {
    found: { files, programs, loaded, backgroundPid },
    state,
    isInstalled: files.has(service.unitFile(spec)),
  }
}

/** null when none answers: also for one that stays only to say why it cannot run. */
async function daemonPidOf({ paths }: Context): Promise<number | null> {
  try {
    return (await askIfRunning(paths.controlSocket))?.daemon.pid ?? null
  } catch (error) {
    if (error instanceof Oss20bdError) return null
    throw error
  }
}
