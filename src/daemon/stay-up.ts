/**
 * Under a service manager a daemon that cannot run stays: ending, it would be started over and over. It says
 * why to whoever asks, and tries again when its config changes, when it is asked to, and now and then.
 */
import type { Clock } from '../clock.ts'
import { Oss20bdError } from '../errors.ts'
import {
  startRefusalServer,
  type RefusalServer,
  type RefusalServerOptions,
} from './refusal-server.ts'
import { fingerprintsOf, untilFilesChange } from './file-change.ts'
import { changeOr } from './until-change.ts'

export interface StayUpOptions {
  /** Runs the daemon to its end. Throws an Oss20bdError when it cannot run. */
  readonly attempt: () => Promise<number>
  readonly configFile: string
  readonly controlSocket: string
  readonly clock: Pick<Clock, 'sleep'>
  /** Aborted when this process is to end. */
  readonly ending: AbortController
  /** Told of each new reason. */
  readonly onFailed: (error: Oss20bdError) => void
}

/** A port that was taken is most often free soon. */
const FIRST_PAUSE_MS = 5000
/** Each try is a line in the log. */
const LONGEST_PAUSE_MS = 60_000

/** Resolves with the exit status. Throws what is a bug. */
export async function stayUp(options: StayUpOptions): Promise<number> {
  const { attempt, ending, onFailed } = options
  let said = ''
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const seen = await fingerprintsOf([options.configFile])
    const failed = await attempt().catch(asFailure)
    if (typeof failed === 'number') return failed
    if (failed.message !== said) onFailed(failed)
    said = failed.message
    await explainUntil(failed, seen, pauseMs, options)
    if (ending.signal.aborted) return 0
  }
}

function asFailure(error: unknown): Oss20bdError {
  if (error instanceof Oss20bdError) return error
  throw error
}

/** Answers everybody with the reason until trying again may help. */
async function explainUntil(
  failed: Oss20bdError,
  seen: Awaited<ReturnType<typeof fingerprintsOf>>,
  pauseMs: number,
  { controlSocket, clock, ending }: StayUpOptions,
): Promise<void> {
  const asked = new AbortController()
  const waiting = AbortSignal.any([asked.signal, ending.signal])
  const server = await openServer({
    socketPath: controlSocket,
    failed,
    onAsked: () => asked.abort(),
    onShutdown: () => ending.abort(),
  })
  const changed = (signal: AbortSignal): Promise<void> =>
    untilFilesChange(seen, clock, signal).then(() => undefined)
  try {
    await changeOr(changed, pauseMs, clock, waiting)
  } catch (error) {
    if (!waiting.aborted) throw error
  } finally {
    await server?.close()
  }
}

/** null when the socket is another daemon's, or cannot be made: then the log alone tells. */
async function openServer(options: RefusalServerOptions): Promise<RefusalServer | null> {
  if (options.failed.code === 'already-running') return null
  return startRefusalServer(options).catch(() => null)
}
