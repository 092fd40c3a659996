/** Waits on a stream of Status until the engine answers, or says why it will not. Pure apart from the stream. */
import type { Status } from '../daemon/control-protocol.ts'
import { Oss20bdError } from '../errors.ts'

export interface WaitOptions {
  /** A ready engine with this pid is the one to be replaced: keep waiting. */
  readonly notPid?: number | null
  readonly onStatus?: (status: Status) => void
}

/** Resolves with the Status that is ready. Throws `engine-failed` when it gave up, does not fit or was stopped meanwhile. */
export async function waitReady(
  events: AsyncIterable<Status>,
  { notPid = null, onStatus }: WaitOptions = {},
): Promise<Status> {
  for await (const status of events) {
    onStatus?.(status)
    const { state, pid } = status.engine
    if (state === 'ready' && (notPid === null || pid !== notPid)) return status
    if (state === 'failed') throw gaveUp(status)
    // It was asked for and sleeps all the same: there is no room for it, or somebody unloaded it.
    if (state === 'refused' || state === 'asleep') throw notLoaded(status)
    if (status.wanted === 'down') throw stoppedMeanwhile()
  }
  throw new Oss20bdError('engine-failed', 'Cannot wait for the engine: the daemon ended', {
    hint: 'See why: oss20bd logs --daemon -n 50',
  })
}

function gaveUp({ engine }: Status): Oss20bdError {
  const { detail, lastExit } = engine
  const why = lastExit?.message ?? detail
  // What was found before a start is a whole sentence already.
  const message = why.startsWith('Cannot ') ? why : `Cannot start llama-server: ${why}`
  return new Oss20bdError('engine-failed', message, {
    hint: lastExit?.hint ?? 'See what it wrote: oss20bd logs --engine -n 50',
  })
}

function notLoaded({ engine }: Status): Oss20bdError {
  const { state, detail, hint } = engine
  const message = detail.startsWith('Cannot ') ? detail : `Cannot load the model: ${detail}`
  const usual = state === 'asleep' ? 'Load it again: oss20bd load' : 'See why: oss20bd why'
  return new Oss20bdError('engine-failed', message, { hint: hint ?? usual })
}

function stoppedMeanwhile(): Oss20bdError {
  return new Oss20bdError('engine-failed', 'Cannot wait for the engine: it was stopped meanwhile', {
    hint: 'Start it again: oss20bd start',
  })
}
