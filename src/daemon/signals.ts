/** First SIGTERM, SIGINT or SIGHUP: graceful stop. A second SIGTERM or SIGINT: leave now. */

export interface StopHandlers {
  /** Called once. */
  graceful(signal: NodeJS.Signals): void
  now(): void
}

/** What is used of `process`. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Returns a function that gives the signals back to Node. */
export function onStopSignals(handlers: StopHandlers, source: SignalSource = process): () => void {
  let stopping = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!stopping) {
      stopping = true
      handlers.graceful(signal)
    } else if (signal !== 'SIGHUP') {
      // A closing terminal sends SIGHUP more than once (the kernel and the shell): nobody is in a hurry.
      handlers.now()
    }
  }
  for (const signal of STOP_SIGNALS) source.on(signal, onSignal)
  return () => {
    for (const signal of STOP_SIGNALS) source.off(signal, onSignal)
  }
}
