/** Listens to the daemon, and comes back by itself when it went away. */
import type { Now } from '../src/daemon/dashboard/feed-protocol.ts'
import type { JournalEvent } from '../src/journal.ts'

export interface FeedListener {
  now(now: Now): void
  journal(events: readonly JournalEvent[]): void
  event(event: JournalEvent): void
  connected(isConnected: boolean): void
}

const AGAIN_AFTER_MS = 2000

export class PageFeed {
  readonly #listener: FeedListener
  #source: EventSource | null = null
  #again: ReturnType<typeof setTimeout> | undefined

  constructor(listener: FeedListener) {
    this.#listener = listener
  }

  /** Once is enough: it stays open. */
  open(): void {
    if (this.#source === null) this.#connect()
  }

  close(): void {
    clearTimeout(this.#again)
    this.#source?.close()
    this.#source = null
  }

  #connect(): void {
    const listener = this.#listener
    const source = new EventSource('feed')
    this.#source = source
    source.addEventListener('open', () => listener.connected(true))
    source.addEventListener('now', ({ data }) => listener.now(JSON.parse(data)))
    source.addEventListener('journal', ({ data }) => listener.journal(JSON.parse(data)))
    source.addEventListener('event', ({ data }) => listener.event(JSON.parse(data)))
    source.addEventListener('error', () => {
      listener.connected(false)
      // The browser tries again by itself, but not after an answer that is no stream.
      if (source.readyState !== EventSource.CLOSED) return
      this.#again = setTimeout(() => this.#connect(), AGAIN_AFTER_MS)
    })
  }
}
