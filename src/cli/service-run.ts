/** Carries out a plan of the service for a person: with progress, and an error that says how things stand now. */
import { systemClock } from '../clock.ts'
import { Oss20bdError } from '../errors.ts'
import type { After, CarriedOut, DaemonDoors } from '../service/carry-out.ts'
import { carryOut } from '../service/carry-out.ts'
import { runCommand } from '../service/run-command.ts'
import type { Found, ServiceVerb } from '../service/service.ts'
import { stepLine } from '../service/step-text.ts'
import type { Failure } from '../service/step.ts'
import { giveUpPort, keeperSocket } from '../port-keeper.ts'
import type { Context } from './command.ts'
import { say } from './command.ts'
import { askDaemon, askDaemonFor } from './control-client.ts'
import { field } from './json.ts'
import { isGone } from './process-gone.ts'
import { withProgress } from './progress.ts'
import type { ServiceHere } from './service-here.ts'
import { spawnDaemon } from './spawn-daemon.ts'

const POLL_MS = 50

const WORDS: Readonly<Record<ServiceVerb, { readonly title: string; readonly todo: string }>> = {
  install: { title: 'Installing the service', todo: 'install the service' },
  uninstall: { title: 'Removing the service', todo: 'remove the service' },
  start: { title: 'Starting the service', todo: 'start the service' },
  stop: { title: 'Stopping the service', todo: 'stop the service' },
  restart: { title: 'Restarting the service', todo: 'restart the service' },
}

/** Throws `service-failed` with what went wrong and what the machine was left in. */
export async function runService(
  verb: ServiceVerb,
  here: ServiceHere,
  found: Found,
): Promise<void> {
  const { service, spec, context } = here
  const plan = service.plan(verb, spec, found)
  const { title, todo } = WORDS[verb]
  await withProgress({ title, stream: context.stderr }, async (progress) => {
    let count = 0
    const outcome = await carryOut(plan, {
      run: runCommand,
      clock: systemClock,
      onStep: (step) => {
        progress.update(Math.min(1, count / plan.steps.length), stepLine(step))
        count += 1
      },
      daemon: daemonDoors(here),
    })
    if (outcome.kind === 'failed') {
      // Whoever waits for a daemon waits in vain.
      if (outcome.after.kind !== 'restored') await giveUpPort(keeperSocket(context.paths))
      throw explain(todo, outcome)
    }
    return { result: undefined }
  })
}

function explain(todo: string, outcome: Extract<CarriedOut, { kind: 'failed' }>): Oss20bdError {
  const { step, failure, after } = outcome
  return new Oss20bdError(
    'service-failed',
    `Cannot ${todo}: ${failure.message}${afterText(after)}`,
    { hint: `${failure.hint}\n  The step was: ${stepLine(step)}` },
  )
}

function afterText(after: After): string {
  switch (after.kind) {
    case 'restored':
      return '; what was there before has been put back'
    case 'as-it-is':
      return ''
    case 'undo-failed':
      return `; what was there before could not be put back: ${after.failure.message}`
  }
}

function daemonDoors({ service, spec, context }: ServiceHere): DaemonDoors {
  const socket = context.paths.controlSocket
  return {
    handOver: (limitMs) => askToHandOver(context, limitMs),
    end: (pid, limitMs) => endDaemon(socket, pid, limitMs),
    startInBackground: () => spawnDaemon(context),
    answers: async () => {
      const pid = await askForPid(socket)
      if (typeof pid === 'object' && pid !== null) return pid
      const state = await service.state(spec, runCommand)
      if (state.kind === 'idle' && state.lastExit !== null) return diedAtOnce(state.lastExit)
      if (state.kind !== 'running' || pid === null) return false
      return state.pid === pid ? true : anotherOne(pid)
    },
  }
}

/** The keeper is a process that starts; under systemd in a unit of its own. */
const HAND_OVER_TIMEOUT_MS = 40_000

/** A daemon that cannot, as an older version, must be replaceable all the same. */
async function askToHandOver(context: Context, limitMs: number): Promise<void> {
  const path = `/hand-over?limit-ms=${limitMs}`
  const question = { method: 'POST', path, timeoutMs: HAND_OVER_TIMEOUT_MS } as const
  try {
    await askDaemonFor(isHandedOver, context.paths.controlSocket, question)
  } catch (error) {
    if (!(error instanceof Oss20bdError)) throw error
    if (error.code === 'daemon-not-running') return
    say(context, `oss20bd: until the restart is over, requests are refused: ${error.message}`)
  }
}

function isHandedOver(answer: unknown): answer is { readonly handedOver: true } {
  return field(answer, 'handedOver') === true
}

/** null when none answers yet. */
async function askForPid(socket: string): Promise<number | Failure | null> {
  try {
    return (await askDaemon(socket, 'GET', '/status')).daemon.pid
  } catch (error) {
    if (!(error instanceof Oss20bdError)) throw error
    if (error.code === 'daemon-not-running' || error.code === 'timeout') return null
    return {
      message: `the daemon says: ${error.message}`,
      hint: error.hint ?? 'See why: oss20bd logs -n 50',
    }
  }
}

/** What it expects to go wrong keeps it up; so it is broken, and waiting would not mend it. */
function diedAtOnce(lastExit: string): Failure {
  return {
    message: `the daemon ends as soon as it is started: last exit ${lastExit}`,
    hint: 'See what it said: oss20bd logs -n 50',
  }
}

function anotherOne(pid: number): Failure {
  return {
    message: `another daemon (pid ${pid}) has the folder of this one`,
    hint: `End it: kill ${pid}, then run the command again`,
  }
}

async function endDaemon(socket: string, pid: number, limitMs: number): Promise<boolean> {
  const untilMs = systemClock.monotonicMs() + limitMs
  // One that does not take it may be ending already: whether it has gone is what counts.
  await askDaemon(socket, 'POST', '/shutdown').catch(ignoreExpected)
  while (!(await isGone(pid))) {
    if (systemClock.monotonicMs() > untilMs) return false
    await systemClock.sleep(POLL_MS)
  }
  return true
}

function ignoreExpected(error: unknown): void {
  if (!(error instanceof Oss20bdError)) throw error
}
