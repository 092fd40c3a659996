/** launchd's side of the service: an agent of the user, or a daemon of the whole Mac. */
import { join } from 'node:path'
import {
  placeProgram,
  programFiles,
  removeNewProgram,
  removeOldPrograms,
  removeProgram,
  restoreFiles,
  shimFile,
} from './installed-program.ts'
import {
  ALREADY_IN_PROGRESS,
  BOOTED_OUT,
  explainLaunchctl,
  MAY_PASS,
  NO_SERVICE,
} from './launchctl-exit.ts'
import { parsePrint } from './launchctl-print.ts'
import { exitTimeoutSeconds, fillPlist } from './launchd-plist.ts'
import type { CommandResult } from './run-command.ts'
import { endBackground, HAND_OVER, handOver, replaceBackground } from './old-daemon.ts'
import type {
  Found,
  Plan,
  RunCommand,
  Service,
  ServiceSpec,
  ServiceState,
  ServiceVerb,
} from './service.ts'
import type { RunStep, Step, WaitStep } from './step.ts'
import { LABEL, plistFile } from './unit-file.ts'

type Place = Pick<ServiceSpec, 'scope' | 'user'>

/** launchd has a program under way within moments; Node and the config take a second or two. */
const SPAWN_LIMIT_MS = 30_000
const ANSWER_LIMIT_MS = 60_000
/** Beyond the time that the daemon itself may take to stop. */
const TEARDOWN_MS = 10_000

export const launchd: Service = {
  kind: 'launchd',
  templateFile: join('launchd', `${LABEL}.plist`),
  unitFile: plistFile,
  files: (spec) => [...programFiles(spec), plistFile(spec)],
  plan,
  state,
}

/** `gui/501`: agents start when this user logs in at the screen. */
export function domainOf({ scope, user }: Place): string {
  return scope === 'system' ? 'system' : `gui/${user.uid}`
}

export function targetOf(place: Place): string {
  return `${domainOf(place)}/${LABEL}`
}

function plan(verb: ServiceVerb, spec: ServiceSpec, found: Found): Plan {
  switch (verb) {
    case 'install':
      return { verb, steps: installSteps(spec, found), undo: undoInstall(spec, found) }
    case 'uninstall':
      return { verb, steps: [...endSteps(spec), ...removeSteps(spec)], undo: [] }
    case 'start':
      return { verb, steps: startSteps(spec, found), undo: [] }
    case 'stop':
      return { verb, steps: endSteps(spec), undo: [] }
    case 'restart':
      return { verb, steps: [HAND_OVER, ...endSteps(spec), ...loadSteps(spec)], undo: [] }
  }
}

function installSteps(spec: ServiceSpec, found: Found): readonly Step[] {
  return [
    ...placeProgram(spec),
    {
      kind: 'make-folder',
      path: join(plistFile(spec), '..'),
      mode: 0o755,
      owner: null,
    },
    ...handOver(found),
    ...endBackground(spec, found),
    ...endSteps(spec),
    { kind: 'write-file', path: plistFile(spec), text: fillPlist(spec), mode: 0o644, owner: null },
    ...loadSteps(spec),
    ...removeOldPrograms(spec, found),
  ]
}

/** What ran before runs again, from the copy that it ran from. */
function undoInstall(spec: ServiceSpec, found: Found): readonly Step[] {
  const ranBefore = found.loaded && found.files.has(plistFile(spec))
  return [
    ...handOver(found),
    ...endSteps(spec),
    ...restoreFiles(spec, found, launchd.files(spec)),
    ...removeNewProgram(spec, found),
    ...(ranBefore ? loadSteps(spec) : []),
    ...(found.backgroundPid === null ? [] : [{ kind: 'start-background' } as const]),
  ]
}

function removeSteps(spec: ServiceSpec): readonly Step[] {
  return [
    { kind: 'remove-file', path: plistFile(spec) },
    { kind: 'remove-file', path: errFile(spec) },
    ...removeProgram(spec),
  ]
}

/** Where launchd puts what is printed before our own log is open. */
function errFile({ folders }: Pick<ServiceSpec, 'folders'>): string {
  return join(folders.logs, 'launchd.err')
}

function startSteps(spec: ServiceSpec, found: Found): readonly Step[] {
  return [...replaceBackground(spec, found), ...(found.loaded ? runSteps(spec) : loadSteps(spec))]
}

/** bootout returns before the service is gone, and only then can it be loaded again. */
function endSteps(spec: ServiceSpec): readonly Step[] {
  return [
    launchctl(['bootout', targetOf(spec)], 'end the service; 3 and 113: there is none', BOOTED_OUT),
    {
      kind: 'wait',
      command: ['launchctl', 'print', targetOf(spec)],
      until: `launchd knows it no more (${NO_SERVICE})`,
      isSo: ({ exitCode }) => exitCode === NO_SERVICE,
      limitMs: teardownLimitMs(spec),
      explain: (result) =>
        result.exitCode === 0
          ? {
              message: 'the old one does not end',
              hint: 'See what it does: oss20bd logs -n 50, then run the command again',
            }
          : explainLaunchctl(result),
    },
  ]
}

function teardownLimitMs(spec: ServiceSpec): number {
  return exitTimeoutSeconds(spec) * 1000 + TEARDOWN_MS
}

function loadSteps(spec: ServiceSpec): readonly Step[] {
  return [
    enableStep(spec),
    {
      ...launchctl(['bootstrap', domainOf(spec), plistFile(spec)], 'load the plist', [0]),
      retry: { codes: MAY_PASS, limitMs: teardownLimitMs(spec) },
    },
    ...spawnSteps(spec),
  ]
}

/** Loaded already: it may only wait for its next start. */
function runSteps(spec: ServiceSpec): readonly Step[] {
  return [enableStep(spec), ...spawnSteps(spec)]
}

/** A record of an earlier `disable` outlives the plist and shows in no other command. */
function enableStep(spec: ServiceSpec): RunStep {
  return launchctl(['enable', targetOf(spec)], 'undo an earlier disable', [0])
}

/** Soon after a login launchd starts nothing by itself: kickstart does. Without -k it leaves a running one alone. */
function spawnSteps(spec: ServiceSpec): readonly Step[] {
  return [
    launchctl(['kickstart', targetOf(spec)], 'start it now', [0, ALREADY_IN_PROGRESS]),
    runsStep(spec),
    { kind: 'await-daemon', limitMs: ANSWER_LIMIT_MS },
  ]
}

/** A plist of the same label from another place would go on with its old program, silently. */
function runsStep(spec: ServiceSpec): WaitStep {
  const program = shimFile(spec)
  return {
    kind: 'wait',
    command: ['launchctl', 'print', targetOf(spec)],
    until: `it has a pid, and its program is ${program}`,
    isSo: (result) => {
      const printed = parsePrint(result.stdout)
      return result.exitCode === 0 && printed.pid !== null && printed.program === program
    },
    limitMs: SPAWN_LIMIT_MS,
    explain: (result) => explainNotRunning(result, program),
  }
}

function explainNotRunning(
  result: CommandResult,
  program: string,
): ReturnType<WaitStep['explain']> {
  if (result.exitCode !== 0) return explainLaunchctl(result)
  const printed = parsePrint(result.stdout)
  if (printed.program !== null && printed.program !== program) {
    return {
      message: `launchd runs another program under its name: ${printed.program}`,
      hint: 'Run the command again. If it stays so, log out and in again',
    }
  }
  const last = printed.lastExit === null ? '' : `, last exit ${printed.lastExit}`
  return {
    message: `launchd does not start it: ${printed.state ?? 'state unknown'}${last}`,
    hint: 'See what is wrong: oss20bd doctor',
  }
}

function launchctl(args: readonly string[], why: string, accepted: readonly number[]): RunStep {
  const command = ['launchctl', ...args]
  return { kind: 'run', command, why, accepted, retry: null, explain: explainLaunchctl }
}

async function state(place: Place, run: RunCommand): Promise<ServiceState> {
  const result = await run(['launchctl', 'print', targetOf(place)])
  if (result.exitCode === NO_SERVICE) {
    return { kind: 'not-loaded', reason: explainLaunchctl(result).message }
  }
  if (result.exitCode !== 0) return { kind: 'unknown', reason: explainLaunchctl(result).message }
  const { pid, state: printed, lastExit } = parsePrint(result.stdout)
  if (pid !== null) return { kind: 'running', pid }
  return { kind: 'idle', detail: printed ?? 'state unknown', lastExit }
}
