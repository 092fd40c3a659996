/** Lets one request wait until the engine can take it, or waiting has no more sense. */
import type { Clock } from '../clock.ts'
import type { UpstreamSource } from './upstream.ts'

export type HoldEnd =
  | { readonly kind: 'ready'; readonly socketPath: string; readonly runId: number }
  | { readonly kind: 'unavailable'; readonly message: string; readonly hint: string }
  /** Nothing moved for the whole hold time; `message` is what it waited for. */
  | { readonly kind: 'timeout'; readonly message: string }
  | { readonly kind: 'aborted' }

export interface HoldOptions {
  readonly source: UpstreamSource
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly holdTimeoutMs: number
  /** Aborts when the client goes or the port closes. */
  readonly signal: AbortSignal
}

/** One request's patience: it is used up over all its waits, and renewed by load progress. */
export class Hold {
  readonly #options: HoldOptions
  #deadlineMs: number
  #progress: number | null | undefined

  constructor(options: HoldOptions) {
    this.#options = options
    this.#deadlineMs = options.clock.monotonicMs() + options.holdTimeoutMs
  }

  /**
   * Resolves once the engine is ready (at once when it is), or will not be. With `pause`, a ready engine has
   * just not taken a connection: it waits `delayMs` or for a change before it believes in it again.
   */
  async wait(pause?: { readonly delayMs: number; readonly reason: string }): Promise<HoldEnd> {
    let message = pause?.reason ?? ''
    if (pause !== undefined) await this.#changeOr(Math.min(pause.delayMs, this.#leftMs()))
    for (;;) {
      if (this.#options.signal.aborted) return { kind: 'aborted' }
      const now = this.#options.source.current()
      if (now.kind === 'unavailable') return now
      if (now.kind === 'pending') {
        this.#options.source.wake()
        this.#renewOn(now.progress)
        message = now.message
      }
      // A ready engine that refuses connections to the end uses up the hold time like a loading one.
      if (this.#leftMs() <= 0 && (now.kind === 'pending' || pause !== undefined)) {
        return { kind: 'timeout', message }
      }
      if (now.kind === 'ready') return now
      await this.#changeOr(this.#leftMs())
    }
  }

  #leftMs(): number {
    return this.#deadlineMs - this.#options.clock.monotonicMs()
  }

  #renewOn(progress: number | null): void {
    if (this.#progress !== undefined && this.#progress !== progress) {
      this.#deadlineMs = this.#options.clock.monotonicMs() + this.#options.holdTimeoutMs
    }
    this.#progress = progress
  }

  /** Resolves at the next change, after `delayMs`, or when the signal aborts. */
  async #changeOr(delayMs: number): Promise<void> {
    const { source, clock, signal } = this.#options
    if (signal.aborted) return
    const either = new AbortController()
    const abort = (): void => either.abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      await Promise.race([source.changed(either.signal), clock.sleep(delayMs, either.signal)])
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', abort)
      either.abort()
    }
  }
}
