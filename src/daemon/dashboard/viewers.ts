/** Those who watch: each gets what is told, as server-sent events. One that is too slow is let go. */
import type { ServerResponse } from 'node:http'

/** More are refused. */
const MOST = 16
/** What may wait for one of them: a minute or so of news. */
const MAX_BEHIND_BYTES = 512 * 1024

export class Viewers {
  readonly #open = new Set<ServerResponse>()
  #dropped = 0
  #onFirst: () => void = () => undefined

  get count(): number {
    return this.#open.size
  }

  /** How many were let go because they did not read. */
  get dropped(): number {
    return this.#dropped
  }

  /** Resolves when somebody watches; rejects when `signal` aborts. */
  async some(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#open.size > 0) return
    await new Promise<void>((resolve, reject) => {
      this.#onFirst = resolve
      signal.addEventListener('abort', () => reject(new Error('Nobody came')), { once: true })
    })
  }

  /** False when there are too many; then nothing was sent. */
  admit(res: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (this.#open.size >= MOST) return false
    res.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    })
    // The browser comes back so soon after the daemon went away.
    res.write('retry: 1000\n\n')
    this.#open.add(res)
    res.once('close', () => this.#open.delete(res))
    this.#onFirst()
    return true
  }

  /** Tells everybody. */
  tell(event: string, data: unknown): void {
    if (this.#open.size === 0) return
    const text = eventText(event, data)
    for (const res of this.#open) this.#send(res, text)
  }

  /** Tells one of them. */
  tellOne(res: ServerResponse, event: string, data: unknown): void {
    if (this.#open.has(res)) this.#send(res, eventText(event, data))
  }

  close(): void {
    for (const res of this.#open) res.end()
  }

  #send(res: ServerResponse, text: string): void {
    if (res.writableLength <= MAX_BEHIND_BYTES) {
      res.write(text)
      return
    }
    this.#dropped += 1
    this.#open.delete(res)
    res.destroy()
  }
}

/** JSON has no line ends of its own. */
function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
