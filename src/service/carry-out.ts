/** Carries out a plan, step by step; when one fails, puts back what was there. */
import type { Clock } from '../clock.ts'
import { messageOf, Oss20bdError } from '../errors.ts'
import { copyProgram } from './copy-program.ts'
import type { CommandResult } from './run-command.ts'
import type { Plan, RunCommand } from './service.ts'
import {
  makeFolder,
  removeEmptyFolder,
  removeFile,
  removeFolder,
  writeWhole,
} from './step-files.ts'
import type { Failure, RunStep, Step, WaitStep } from './step.ts'

/** The doors to the outside. */
export interface CarryOutDoors {
  readonly run: RunCommand
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>
  /** Told before each step. */
  readonly onStep: (step: Step) => void
  readonly daemon: DaemonDoors
}

/** The daemon of this home, however it was started. */
export interface DaemonDoors {
  /** Asks one that runs to give its port away; the swap goes on when it cannot. */
  handOver(limitMs: number): Promise<void>
  /** Asks it to end; false when it is still there after `limitMs`. */
  end(pid: number, limitMs: number): Promise<boolean>
  /** Starts one in the background. Throws what hinders it. */
  startInBackground(): Promise<void>
  /** Whether one answers on the control socket now; a failure is why there will be none. */
  answers(): Promise<boolean | Failure>
}

export type CarriedOut =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'failed'
      readonly step: Step
      readonly failure: Failure
      readonly after: After
    }

/** What the machine is left in: as it was, as the failed step left it, or half put back. */
export type After =
  | { readonly kind: 'restored' }
  | { readonly kind: 'as-it-is' }
  | { readonly kind: 'undo-failed'; readonly failure: Failure }

const FIRST_PAUSE_MS = 100
/** Between two tries to do something. */
const LONGEST_PAUSE_MS = 2000
/** Between two looks, which cost little; apps wait meanwhile. */
const LONGEST_LOOK_PAUSE_MS = 400

/** Never rejects for what a plan may meet. */
export async function carryOut(plan: Plan, doors: CarryOutDoors): Promise<CarriedOut> {
  const failed = await firstFailure(plan.steps, doors)
  if (failed === null) return { kind: 'done' }
  return { kind: 'failed', ...failed, after: await undo(plan.undo, doors) }
}

async function undo(steps: readonly Step[], doors: CarryOutDoors): Promise<After> {
  if (steps.length === 0) return { kind: 'as-it-is' }
  const failed = await firstFailure(steps, doors)
  return failed === null ? { kind: 'restored' } : { kind: 'undo-failed', failure: failed.failure }
}

async function firstFailure(
  steps: readonly Step[],
  doors: CarryOutDoors,
): Promise<{ readonly step: Step; readonly failure: Failure } | null> {
  for (const step of steps) {
    doors.onStep(step)
    const failure = await doStep(step, doors).catch(asFailure)
    if (failure !== null) return { step, failure }
  }
  return null
}

/** What stops the work of the part that was asked is a failure of the step; a bug stays a bug. */
function asFailure(error: unknown): Failure {
  if (!(error instanceof Oss20bdError)) throw error
  return { message: messageOf(error), hint: error.hint ?? 'Run the command again' }
}

/** null when it is done. */
async function doStep(step: Step, doors: CarryOutDoors): Promise<Failure | null> {
  switch (step.kind) {
    case 'make-folder':
      return done(makeFolder(step))
    case 'write-file':
      return done(writeWhole(step))
    case 'copy-program':
      return done(copyProgram(step))
    case 'remove-file':
      return done(removeFile(step.path))
    case 'remove-folder':
      return done(removeFolder(step.path))
    case 'remove-empty-folder':
      return done(removeEmptyFolder(step.path))
    case 'run':
      return runUntilAccepted(step, doors)
    case 'wait':
      return waitUntilSo(step, doors)
    case 'hand-over':
      return done(doors.daemon.handOver(step.limitMs))
    case 'end-background':
      return endBackground(step, doors)
    case 'start-background':
      return done(doors.daemon.startInBackground())
    case 'await-daemon':
      return awaitDaemon(step.limitMs, doors)
  }
}

async function done(work: Promise<void>): Promise<null> {
  await work
  return null
}

async function runUntilAccepted(
  step: RunStep,
  { run, clock }: CarryOutDoors,
): Promise<Failure | null> {
  const look = async (): Promise<CommandResult> => run(step.command)
  const accepted = ({ exitCode }: CommandResult): boolean =>
    exitCode !== null && step.accepted.includes(exitCode)
  const mayPass = ({ exitCode }: CommandResult): boolean =>
    exitCode !== null && (step.retry?.codes.includes(exitCode) ?? false)
  const last = await lookUntil(
    look,
    (result) => accepted(result) || !mayPass(result),
    step.retry?.limitMs ?? 0,
    clock,
    LONGEST_PAUSE_MS,
  )
  return accepted(last) ? null : step.explain(last)
}

async function waitUntilSo(step: WaitStep, { run, clock }: CarryOutDoors): Promise<Failure | null> {
  const last = await lookUntil(() => run(step.command), step.isSo, step.limitMs, clock)
  return step.isSo(last) ? null : step.explain(last)
}

async function endBackground(
  { pid, limitMs }: Extract<Step, { kind: 'end-background' }>,
  { daemon }: CarryOutDoors,
): Promise<Failure | null> {
  if (await daemon.end(pid, limitMs)) return null
  return {
    message: `the daemon in the background (pid ${pid}) does not end`,
    hint: `See what it does: oss20bd logs -n 50. To end it at once: kill -9 ${pid}`,
  }
}

async function awaitDaemon(
  limitMs: number,
  { daemon, clock }: CarryOutDoors,
): Promise<Failure | null> {
  const last = await lookUntil(
    () => daemon.answers(),
    (answer) => answer !== false,
    limitMs,
    clock,
  )
  if (last === true) return null
  if (last !== false) return last
  return {
    message: `the daemon does not answer within ${limitMs / 1000} s`,
    hint: 'See why: oss20bd logs -n 50',
  }
}

/** What `look` gives once `enough` says so, or at the end of `limitMs`, with growing pauses. */
async function lookUntil<T>(
  look: () => Promise<T>,
  enough: (found: T) => boolean,
  limitMs: number,
  clock: CarryOutDoors['clock'],
  longestPauseMs: number = LONGEST_LOOK_PAUSE_MS,
): Promise<T> {
  const untilMs = clock.monotonicMs() + limitMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const found = await look()
    const leftMs = untilMs - clock.monotonicMs()
    if (enough(found) || leftMs <= 0) return found
    await clock.sleep(Math.min(pauseMs, leftMs))
  }
}
