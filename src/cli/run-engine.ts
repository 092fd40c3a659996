/** Makes the daemon run and its engine ready: what start, restart and up share. */
import type { Status } from '../daemon/control-protocol.ts'
import type { Context } from './command.ts'
import { say } from './command.ts'
import { askDaemon, askIfRunning, watchDaemon } from './control-client.ts'
import type { Progress } from './progress.ts'
import { waitingText } from './render.ts'
import { bringUpDaemon } from './daemon-by-service.ts'
import { waitReady } from './wait-ready.ts'

/**
 * Brings up the daemon if there is none and makes the engine wanted; resolves at once with the Status
 * then. An engine that runs already is restarted when `mustRestart` says so of its Status.
 */
export async function wantEngine(
  context: Context,
  mustRestart: (status: Status) => boolean,
): Promise<Wanted> {
  const socket = context.paths.controlSocket
  const before = await askIfRunning(socket)
  if (before === null) {
    await bringUpDaemon(context)
    return { status: await askDaemon(socket, 'GET', '/status'), notPid: null }
  }
  tellIfNotApplied(context, before)
  const fresh = mustRestart(before)
  const status = await askDaemon(socket, 'POST', fresh ? '/restart' : '/start')
  return { status, notPid: fresh ? before.engine.pid : null }
}

/** Settings are read when the daemon starts: what was asked for now must not seem to be in force. */
function tellIfNotApplied(context: Context, { daemon }: Status): void {
  const { configFile, env, flags } = context
  // A file named by the environment is named at every command, and is most likely the one in force.
  const byOption = configFile !== null && (env['OSS20BD_CONFIG'] ?? '') === ''
  if (!byOption && Object.keys(flags).length === 0) return
  say(
    context,
    `oss20bd: --set and --config are not applied: the daemon (pid ${daemon.pid}) runs already, with the settings it started with`,
  )
  say(
    context,
    '  To apply them: oss20bd stop, then this command again; to a service: oss20bd install with them',
  )
}

export interface Wanted {
  readonly status: Status
  /** The engine that a restart replaces. */
  readonly notPid: number | null
}

/** Waits until the engine that `wantEngine` asked for answers, showing how far it is. */
export async function awaitEngine(
  context: Context,
  wanted: Wanted,
  progress: Pick<Progress, 'update'>,
): Promise<Status> {
  const watching = new AbortController()
  try {
    return await waitReady(watchDaemon(context.paths.controlSocket, watching.signal), {
      notPid: wanted.notPid,
      onStatus: (status) => progress.update(status.engine.loadProgress, waitingText(status)),
    })
  } finally {
    watching.abort()
  }
}
