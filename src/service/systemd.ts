/** systemd's side of the service: a unit of the user's own manager, or one of the whole machine. */
import { join } from 'node:path'
import {
  placeProgram,
  programFiles,
  removeNewProgram,
  removeOldPrograms,
  removeProgram,
  restoreFiles,
} from './installed-program.ts'
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
import type { Failure, RunStep, Step, WaitStep } from './step.ts'
import { explainSystemctl } from './systemctl-exit.ts'
import { parseShow, SHOW_ARGS, type ShownUnit } from './systemctl-show.ts'
import { fillUnit, stopSeconds, targetOf } from './systemd-unit.ts'
import { UNIT, unitFile, unitFolder } from './unit-file.ts'

type Place = Pick<ServiceSpec, 'scope' | 'user'>

/** Until the port listens: what a killed daemon left is ended before that. */
const START_LIMIT_MS = 60_000
const ANSWER_LIMIT_MS = 30_000
/** Beyond the time that the daemon itself may take to stop. */
const TEARDOWN_MS = 10_000
/** `stop` of a unit that systemd does not know. */
const NOT_LOADED = 5

export const systemd: Service = {
  kind: 'systemd',
  templateFile: join('systemd', UNIT),
  unitFile,
  files: (spec) => [...programFiles(spec), unitFile(spec)],
  plan,
  state,
}

/** Where `enable` puts its link. */
function wantsFolder(place: Place): string {
  return join(unitFolder(place), `${targetOf(place)}.wants`)
}

function plan(verb: ServiceVerb, spec: ServiceSpec, found: Found): Plan {
  switch (verb) {
    case 'install':
      return { verb, steps: installSteps(spec, found), undo: undoInstall(spec, found) }
    case 'uninstall':
      return { verb, steps: uninstallSteps(spec, found), undo: [] }
    case 'start':
      return { verb, steps: [...replaceBackground(spec, found), ...startSteps(spec)], undo: [] }
    case 'stop':
      return { verb, steps: endSteps(spec), undo: [] }
    case 'restart':
      return {
        verb,
        steps: [HAND_OVER, ...endBackground(spec, found), ...endSteps(spec), ...startSteps(spec)],
        undo: [],
      }
  }
}

/** All that can go wrong with files comes before what runs now is ended. */
function installSteps(spec: ServiceSpec, found: Found): readonly Step[] {
  return [
    ...placeProgram(spec),
    { kind: 'make-folder', path: unitFolder(spec), mode: 0o755, owner: null },
    { kind: 'write-file', path: unitFile(spec), text: fillUnit(spec), mode: 0o644, owner: null },
    reloadStep(spec),
    systemctl(spec, ['enable', UNIT], `start it with ${targetOf(spec)}`, [0]),
    ...handOver(found),
    ...endBackground(spec, found),
    ...endSteps(spec),
    ...startSteps(spec),
    ...removeOldPrograms(spec, found),
  ]
}

/** What ran before runs again, from the copy that it ran from. */
function undoInstall(spec: ServiceSpec, found: Found): readonly Step[] {
  const wasInstalled = found.files.has(unitFile(spec))
  return [
    ...handOver(found),
    ...endSteps(spec),
    ...(wasInstalled ? [] : disableSteps(spec)),
    ...restoreFiles(spec, found, systemd.files(spec)),
    ...removeNewProgram(spec, found),
    ...(wasInstalled && found.loaded ? startSteps(spec) : [reloadStep(spec)]),
    ...(found.backgroundPid === null ? [] : [{ kind: 'start-background' } as const]),
  ]
}

function uninstallSteps(spec: ServiceSpec, found: Found): readonly Step[] {
  return [
    ...endSteps(spec),
    ...(found.files.has(unitFile(spec)) ? disableSteps(spec) : []),
    // A link whose unit is gone is disabled by nobody.
    { kind: 'remove-file', path: join(wantsFolder(spec), UNIT) },
    { kind: 'remove-empty-folder', path: wantsFolder(spec) },
    { kind: 'remove-file', path: unitFile(spec) },
    ...(spec.scope === 'system' ? [] : removeUserFolders(spec)),
    ...removeProgram(spec),
    reloadStep(spec),
    systemctl(spec, ['reset-failed', UNIT], 'forget how it ended; 1: nothing to forget', [0, 1]),
  ]
}

function removeUserFolders(spec: ServiceSpec): readonly Step[] {
  return [
    { kind: 'remove-empty-folder', path: unitFolder(spec) },
    { kind: 'remove-empty-folder', path: join(unitFolder(spec), '..') },
  ]
}

function disableSteps(spec: ServiceSpec): readonly Step[] {
  return [systemctl(spec, ['disable', UNIT], 'start it no more', [0])]
}

/** Not waited for by systemctl: requests that finish may take longer than a program of ours may run. */
function endSteps(spec: ServiceSpec): readonly Step[] {
  return [
    systemctl(spec, ['stop', '--no-block', UNIT], `end the service; ${NOT_LOADED}: there is none`, [
      0,
      NOT_LOADED,
    ]),
    {
      ...showStep(spec),
      until: 'it has no process',
      isSo: ({ exitCode, stdout }) => exitCode === 0 && hasEnded(parseShow(stdout)),
      limitMs: stopSeconds(spec) * 1000 + TEARDOWN_MS,
      explain: (result) =>
        result.exitCode === 0
          ? {
              message: `it does not end: ${describe(parseShow(result.stdout))}`,
              hint: 'See what it does: oss20bd logs -n 50, then run the command again',
            }
          : explainSystemctl(result),
    },
  ]
}

function hasEnded({ activeState, pid }: ShownUnit): boolean {
  return pid === null && (activeState === 'inactive' || activeState === 'failed')
}

function startSteps(spec: ServiceSpec): readonly Step[] {
  return [
    reloadStep(spec),
    systemctl(spec, ['start', '--no-block', UNIT], 'start it now', [0]),
    runsStep(spec),
    { kind: 'await-daemon', limitMs: ANSWER_LIMIT_MS },
  ]
}

/** A unit of the same name in another place could be the one that systemd reads. */
function runsStep(spec: ServiceSpec): WaitStep {
  const file = unitFile(spec)
  return {
    ...showStep(spec),
    until: `it has said that it is ready, and its unit is ${file}`,
    isSo: ({ exitCode, stdout }) => {
      const { activeState, pid, unitFile: read } = parseShow(stdout)
      return exitCode === 0 && activeState === 'active' && pid !== null && read === file
    },
    limitMs: START_LIMIT_MS,
    explain: (result) =>
      result.exitCode === 0
        ? explainNotRunning(parseShow(result.stdout), file)
        : explainSystemctl(result),
  }
}

function explainNotRunning(unit: ShownUnit, file: string): Failure {
  if (unit.loadState === 'masked') {
    return {
      message: `systemd is told never to start it: ${UNIT} is masked`,
      hint: `Run: systemctl --user unmask ${UNIT}, then the same command again`,
    }
  }
  if (unit.unitFile !== null && unit.unitFile !== file) {
    return {
      message: `systemd reads another unit under its name: ${unit.unitFile}`,
      hint: `Remove that file, then run the same command again`,
    }
  }
  return {
    message: `systemd does not get it started: ${describe(unit)}`,
    hint: 'See why: oss20bd logs -n 50',
  }
}

/** `activating (auto-restart), exit-code, last exit status 2`. */
function describe({ activeState, subState, result, lastExit }: ShownUnit): string {
  return [
    `${activeState ?? 'state unknown'}${subState === null ? '' : ` (${subState})`}`,
    ...(result === null || result === 'success' ? [] : [result]),
    ...(lastExit === null ? [] : [`last exit ${lastExit}`]),
  ].join(', ')
}

function showStep(place: Place): Pick<WaitStep, 'kind' | 'command'> {
  return { kind: 'wait', command: commandOf(place, ['show', ...SHOW_ARGS, UNIT]) }
}

function reloadStep(place: Place): RunStep {
  return systemctl(place, ['daemon-reload'], 'read the units again', [0])
}

function systemctl(
  place: Place,
  args: readonly string[],
  why: string,
  accepted: readonly number[],
): RunStep {
  const command = commandOf(place, args)
  return { kind: 'run', command, why, accepted, retry: null, explain: explainSystemctl }
}

function commandOf({ scope }: Place, args: readonly string[]): readonly string[] {
  return ['systemctl', ...(scope === 'user' ? ['--user'] : []), ...args]
}

async function state(place: Place, run: RunCommand): Promise<ServiceState> {
  const result = await run(commandOf(place, ['show', ...SHOW_ARGS, UNIT]))
  if (result.exitCode !== 0) return { kind: 'unknown', reason: explainSystemctl(result).message }
  const unit = parseShow(result.stdout)
  if (unit.loadState === null) return { kind: 'unknown', reason: 'systemctl said nothing of it' }
  if (unit.loadState === 'not-found') {
    return { kind: 'not-loaded', reason: `systemd knows no ${UNIT}` }
  }
  if (unit.pid !== null) return { kind: 'running', pid: unit.pid }
  return { kind: 'idle', detail: describe(unit), lastExit: unit.lastExit }
}
