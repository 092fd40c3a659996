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

export function listen(listener: FeedListener): void {
  const source = new EventSource('feed')
  source.addEventListener('open', () => listener.connected(true))
  source.addEventListener('now', ({ data }) => listener.now(JSON.parse(data)))
  source.addEventListener('journal', ({ data }) => listener.journal(JSON.parse(data)))
  source.addEventListener('event', ({ data }) => listener.event(JSON.parse(data)))
  source.addEventListener('error', () => {
    listener.connected(false)
    // The browser tries again by itself, but not after an answer that is no stream.
    if (source.readyState !== EventSource.CLOSED) return
    setTimeout(() => listen(listener), AGAIN_AFTER_MS)
  })
}
