/** The doctor's look at the daemon: does it run, and is the engine well. */
import type { Status } from '../../daemon/control-protocol.ts'
import { Oss20bdError } from '../../errors.ts'
import { type Finding, type Judge, judgeAll } from '../../finding.ts'
import { findPortHolder, type PortHolder } from '../../port-holder.ts'
import { askIfRunning } from '../control-client.ts'
import type { DoctorPart, Examined } from './part.ts'

export const daemonPart: DoctorPart = {
  name: 'daemon',
  examine: async ({ paths }, { config, platform }) => {
    try {
      const status = await askIfRunning(paths.controlSocket)
      if (status !== null) return examineDaemon(status)
    } catch (error) {
      if (error instanceof Oss20bdError) return silentDaemon(error)
      throw error
    }
    const port = await config().then(
      ({ proxy }) => proxy.port,
      () => null,
    )
    // On a Mac the part of the service knows more of it: Homebrew's services, and other agents.
    const isAsked = port !== null && platform !== 'darwin'
    return noDaemon(port, isAsked ? await findPortHolder(port) : null)
  },
}

/** Pure. */
export function noDaemon(port: number | null, holder: PortHolder | null): Examined {
  const taken = portTaken(port, holder)
  return { state: 'none runs', findings: taken === null ? [notRunning] : [taken] }
}

const notRunning: Finding = {
  id: 'not-running',
  what: 'oss20bd does not run, so the port refuses every app',
  why: 'nobody answers on its control socket',
  mend: 'oss20bd start',
}

/** It keeps the daemon from running, and its mending starts it. */
function portTaken(port: number | null, holder: PortHolder | null): Finding | null {
  if (port === null || holder === null) return null
  const what = `Another program has the port ${port}: ${holder.name}`
  const why = `${holder.name} (pid ${holder.pid}) listens on it`
  return finding('port-taken', what, why, `oss20bd start --set proxy.port=${port + 1}`)
}

/** It is there, and does not answer. Pure. */
export function silentDaemon({ code, message, hint }: Oss20bdError): Examined {
  const isClosed = code === 'state-folder'
  const why = hint === undefined ? message : `${message}. ${hint}`
  return {
    state: isClosed ? 'it is not yours' : 'it does not answer',
    findings: [
      isClosed
        ? finding(
            'daemon-of-another',
            'The daemon belongs to another user',
            why,
            'sudo oss20bd stop',
          )
        : finding('daemon-silent', 'The daemon hangs', why, 'oss20bd restart --daemon'),
    ],
  }
}

/** Pure. */
export function examineDaemon(status: Status): Examined {
  const { engine, proxy } = status
  return {
    state: `${engine.state}: ${engine.detail} (${proxy.url})`,
    findings: judgeAll(
      [gaveUp, refused, outOfMemory, dies, safeMode, shortOfMemory, sidePort, requestsFail],
      status,
    ),
  }
}

const gaveUp: Judge<Status> = ({ engine }) =>
  engine.state === 'failed'
    ? finding('gave-up', 'The engine was given up', engine.detail, 'oss20bd restart')
    : null

const refused: Judge<Status> = ({ engine }) =>
  engine.state === 'refused'
    ? finding(
        'refused',
        'The model is not loaded: it would not fit',
        withHint(engine.detail, engine.hint),
        'oss20bd plan',
      )
    : null

const NO_MEMORY: ReadonlySet<string> = new Set([
  'out-of-memory-load',
  'gpu-out-of-memory',
  'killed-by-os',
])

const outOfMemory: Judge<Status> = ({ engine: { lastExit } }) =>
  lastExit !== null && NO_MEMORY.has(lastExit.cause)
    ? {
        ...finding(
          'out-of-memory',
          'The engine died for want of memory',
          withHint(`${lastExit.message} (${lastExit.at})`, lastExit.hint),
          'oss20bd plan',
        ),
        degree: 'worse',
      }
    : null

const dies: Judge<Status> = ({ engine }) =>
  engine.state === 'backoff'
    ? finding(
        'engine-dies',
        'The engine dies again and again',
        `${engine.detail}; ${engine.lastExit?.message ?? 'it is not known why'}`,
        'oss20bd why',
      )
    : null

const safeMode: Judge<Status> = ({ engine }) =>
  engine.safeMode
    ? {
        ...finding(
          'safe-mode',
          'The engine runs in its smallest set-up, after too many deaths',
          engine.lastExit?.message ?? engine.detail,
          'oss20bd restart',
        ),
        degree: 'worse',
      }
    : null

const shortOfMemory: Judge<Status> = ({ memory }) => {
  const why = memory.reason ?? 'the system says so'
  if (memory.level === 'critical') {
    const what = 'The machine is out of memory: the model gives way'
    return finding('memory-critical', what, why, 'oss20bd plan')
  }
  if (memory.level !== 'tight') return null
  const what = 'Memory is tight: one request at a time'
  return { ...finding('memory-tight', what, why, 'oss20bd plan'), degree: 'worse' }
}

const sidePort: Judge<Status> = ({ proxy }) => {
  const closed = proxy.alsoListening.find(({ isOpen }) => !isOpen)
  if (closed === undefined) return null
  const what = `The further port ${closed.port} is not open`
  const why = closed.trouble ?? 'it could not be had'
  return { ...finding('side-port-closed', what, why, 'oss20bd config'), degree: 'worse' }
}

const requestsFail: Judge<Status> = ({ proxy }) =>
  proxy.failed > 0
    ? {
        ...finding(
          'requests-failed',
          'Apps got errors since the daemon started',
          `${proxy.failed} ${proxy.failed === 1 ? 'request' : 'requests'} failed`,
          'oss20bd requests',
        ),
        degree: 'worse',
      }
    : null

function withHint(text: string, hint: string | null): string {
  return hint === null ? text : `${text}. ${hint}`
}

function finding(id: string, what: string, why: string, mend: string): Finding {
  return { id, what, why, mend }
}
