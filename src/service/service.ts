/** The part of the operating system that keeps the daemon running: what launchd and systemd have in common. Types only. */
import type { CommandResult } from './run-command.ts'
import type { Step } from './step.ts'

export type ServiceKind = 'launchd' | 'systemd'

export type ServiceVerb = 'install' | 'uninstall' | 'start' | 'stop' | 'restart'

/** Everything a plan depends on beside what is installed already. */
export interface ServiceSpec {
  /** `user`: from login to logout. `system`: from boot on, as that user; only root can install it. */
  readonly scope: 'user' | 'system'
  readonly user: { readonly name: string; readonly uid: number; readonly home: string }
  readonly folders: ServiceFolders
  /** The Node that the shim tries first. */
  readonly node: string
  readonly program: Program
  /** Further arguments of `oss20bd daemon`, as `--config FILE`. */
  readonly daemonArgs: readonly string[]
  /** PATH, HOME, LANG, and the OSS20BD_HOME and OSS20BD_CACHE that are set. */
  readonly environment: Readonly<Record<string, string>>
  /** How long a polite stop of the daemon may take by its config. */
  readonly stopLimitMs: number
  /** The texts that this package holds: the unit's template and the shim. */
  readonly template: string
  readonly shim: string
}

/**
 * The service runs a copy of this package: `npm install` of another version then changes nothing under a
 * daemon that runs, and the copy before is there to go back to.
 */
interface Program {
  /** The folder of the package that runs now. */
  readonly from: string
  /** Version and content, as `0.1.0-1f2e3d4c`: the same program has the same name. */
  readonly name: string
}

interface ServiceFolders {
  /** Of the config, the models and the shim. */
  readonly home: string
  readonly logs: string
}

/** What was there before, so that a plan can put it back. */
export interface Found {
  /** The texts of `Service.files`, by path; one that is missing is not there. */
  readonly files: ReadonlyMap<string, string>
  /** The names of the copies of the program (`Program.name`). */
  readonly programs: readonly string[]
  /** Whether the system knows the service now. */
  readonly loaded: boolean
  /** A daemon of this home that the service does not run, as `oss20bd start` makes one. */
  readonly backgroundPid: number | null
}

export const NOTHING_FOUND: Found = {
  files: new Map(),
  programs: [],
  loaded: false,
  backgroundPid: null,
}

/** The steps of one verb in their order, and those that put back what was there, if one of them fails. */
export interface Plan {
  readonly verb: ServiceVerb
  readonly steps: readonly Step[]
  /** Carried out from its beginning when a step fails; empty when nothing can be put back. */
  readonly undo: readonly Step[]
}

/** Asks the operating system. Never throws: a program that is missing has the exit code null. */
export type RunCommand = (command: readonly string[]) => Promise<CommandResult>

/**
 * One value each: `launchd` (launchd.ts) and `systemd` (systemd.ts). `plan` is pure, so that
 * `--dry-run` prints exactly what carry-out.ts does, and can be printed on any machine.
 */
export interface Service {
  readonly kind: ServiceKind
  /** Its template, from the folder of this package. */
  readonly templateFile: string
  /** The plist or unit file. */
  unitFile(spec: Pick<ServiceSpec, 'scope' | 'user'>): string
  /** Each file that `install` writes, the unit file among them: what `uninstall` removes. */
  files(spec: Pick<ServiceSpec, 'scope' | 'user' | 'folders'>): readonly string[]
  plan(verb: ServiceVerb, spec: ServiceSpec, found: Found): Plan
  /** Looks, changes nothing. */
  state(spec: Pick<ServiceSpec, 'scope' | 'user'>, run: RunCommand): Promise<ServiceState>
}

export type ServiceState =
  /** The system knows nothing of it. A unit file may be there all the same. */
  | { readonly kind: 'not-loaded'; readonly reason: string }
  /** Known and without a process: ended, or waiting for its next start. */
  | { readonly kind: 'idle'; readonly detail: string; readonly lastExit: string | null }
  | { readonly kind: 'running'; readonly pid: number }
  /** The system's own program cannot be asked (missing, no session): unknown, which is not the same as absent. */
  | { readonly kind: 'unknown'; readonly reason: string }
