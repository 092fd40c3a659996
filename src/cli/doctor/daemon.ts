/** The doctor's look at the daemon: does it run, and is the engine well. */
import type { Status } from '../../daemon/control-protocol.ts'
import { type Finding, type Judge, judgeAll } from '../../finding.ts'
import { askIfRunning } from '../control-client.ts'
import type { DoctorPart, Examined } from './part.ts'

export const daemonPart: DoctorPart = {
  name: 'daemon',
  examine: async (context) => examineDaemon(await askIfRunning(context.paths.controlSocket)),
}

/** Null = none runs. Pure. */
export function examineDaemon(status: Status | null): Examined {
  if (status === null) return { state: 'none runs', findings: [notRunning] }
  const { engine, proxy } = status
  return {
    state: `${engine.state}: ${engine.detail} (${proxy.url})`,
    findings: judgeAll([gaveUp, refused, safeMode, shortOfMemory, requestsFail], status),
  }
}

const notRunning: Finding = {
  id: 'not-running',
  what: 'oss20bd does not run, so the port refuses every app',
  why: 'nobody answers on its control socket',
  mend: 'oss20bd start',
}

const gaveUp: Judge<Status> = ({ engine }) =>
  engine.state === 'failed'
    ? finding('gave-up', 'The engine was given up', engine.detail, 'oss20bd restart')
    : null

const refused: Judge<Status> = ({ engine }) =>
  engine.state === 'refused'
    ? finding('refused', 'The model is not loaded: it would not fit', engine.detail, 'oss20bd plan')
    : null

const safeMode: Judge<Status> = ({ engine }) =>
  engine.safeMode
    ? finding(
        'safe-mode',
        'The engine runs in its smallest set-up, after too many deaths',
        engine.lastExit?.message ?? engine.detail,
        'oss20bd why',
      )
    : null

const shortOfMemory: Judge<Status> = ({ memory }) =>
  memory.level === 'critical' || memory.level === 'tight'
    ? finding(
        `memory-${memory.level}`,
        memory.level === 'critical'
          ? 'The machine is out of memory: the model gives way'
          : 'Memory is tight: one request at a time',
        memory.reason ?? 'the system says so',
        'oss20bd status',
      )
    : null

const requestsFail: Judge<Status> = ({ proxy }) =>
  proxy.failed > 0
    ? finding(
        'requests-failed',
        'Apps got errors since the daemon started',
        `${proxy.failed} requests failed`,
        'oss20bd requests',
      )
    : null

function finding(id: string, what: string, why: string, mend: string): Finding {
  return { id, what, why, mend }
}
