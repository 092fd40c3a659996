/** Ctrl-C ends what runs, and not the program. */

export type Cancellable<Value> =
  | { readonly kind: 'done'; readonly value: Value }
  | { readonly kind: 'cancelled' }

/** Runs `work`; the first Ctrl-C aborts its signal. Errors of the work are thrown. */
export async function cancellable<Value>(
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Cancellable<Value>> {
  const cancel = new AbortController()
  const onInterrupt = (): void => cancel.abort()
  process.once('SIGINT', onInterrupt)
  try {
    return { kind: 'done', value: await work(cancel.signal) }
  } catch (error) {
    if (cancel.signal.aborted) return { kind: 'cancelled' }
    throw error
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}
