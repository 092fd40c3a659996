/** Who may press the buttons: one-time links, and the sessions that they open. Kept in memory: a restart ends them all. */
import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'

/** Time enough for a browser to open. */
const LINK_MS = 5 * 60_000
const SESSION_MS = 12 * 3_600_000
const TOKEN_BYTES = 32
/** The oldest goes when there are more. */
const MOST = 32

export interface SessionsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** What tells this daemon from others: a browser keeps the cookies of all ports of a machine in one jar. */
  readonly identity: string
  /** Where the browser is to send the cookie, and nowhere else. */
  readonly paths: readonly string[]
}

export class Sessions {
  readonly #options: SessionsOptions
  readonly #cookie: string
  /** By the hash of the secret, until when: what is kept here opens nothing. */
  readonly #links = new Map<string, number>()
  readonly #sessions = new Map<string, number>()

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#cookie = `oss20bd_${hashOf(options.identity).slice(0, 8)}`
  }

  /** A secret that opens one session, within five minutes. */
  makeLink(): string {
    return this.#make(this.#links, LINK_MS)
  }

  /** The `Set-Cookie` headers of a new session; null when the link is unknown, used or too old. */
  redeem(secret: string): readonly string[] | null {
    const isGood = this.#isGood(this.#links, secret)
    this.#links.delete(hashOf(secret))
    if (!isGood) return null
    const value = this.#make(this.#sessions, SESSION_MS)
    return this.#options.paths.map(
      (path) =>
        `${this.#cookie}=${value}; HttpOnly; SameSite=Strict; Path=${path}; Max-Age=${SESSION_MS / 1000}`,
    )
  }

  /** Whether the `Cookie` of a request names an open session. */
  isOpen(cookie: string | undefined): boolean {
    const values = (cookie ?? '').split(';').map((pair) => pair.trim().split('='))
    return values.some(
      ([name, value = '']) => name === this.#cookie && this.#isGood(this.#sessions, value),
    )
  }

  #make(kept: Map<string, number>, forMs: number): string {
    const secret = randomBytes(TOKEN_BYTES).toString('base64url')
    kept.set(hashOf(secret), this.#options.clock.monotonicMs() + forMs)
    const [oldest] = kept.keys()
    if (kept.size > MOST && oldest !== undefined) kept.delete(oldest)
    return secret
  }

  #isGood(kept: ReadonlyMap<string, number>, secret: string): boolean {
    const untilMs = kept.get(hashOf(secret))
    return untilMs !== undefined && untilMs > this.#options.clock.monotonicMs()
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
