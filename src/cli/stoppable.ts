/** Lets a long step clean up when it is stopped, then dies as a program does that knows nothing of signals. */
import { Oss20bdError } from '../errors.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs `work`; the first signal aborts it. `onStopped` is called once it has ended. */
export async function stoppable<Value>(
  work: (signal: AbortSignal) => Promise<Value>,
  onStopped: () => void,
): Promise<Value> {
  const stop = new AbortController()
  let came: NodeJS.Signals | null = null
  const onSignal = (signal: NodeJS.Signals): void => {
    came ??= signal
    stop.abort(new Oss20bdError('download-failed', 'Stopped', { hint: 'Run it again to go on' }))
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    return await work(stop.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal)
    if (came !== null) {
      onStopped()
      process.kill(process.pid, came)
    }
  }
}
