/** Judges the token of a request. */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { messageOf, Oss20bdError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { digestOf, readTokens, type TokenEntry } from '../token-files.ts'
import type { Api } from './api.ts'
import { type RawHeaders, valuesOf } from './headers.ts'
import type { OwnAnswer } from './own-answer.ts'

export type TokenVerdict =
  /** No token is needed: there are none. */
  | { readonly kind: 'open' }
  /** `name` is that of the token. */
  | { readonly kind: 'ok'; readonly name: string }
  | { readonly kind: 'refused'; readonly message: string; readonly hint: string }

export interface TokenCheck {
  check(headers: RawHeaders): TokenVerdict
}

export interface TokenCheckOptions {
  /** Where the tokens lie: `TOKENS` in the home folder. It need not be there. */
  readonly folder: string
  /**
   * Whether everybody is let in while there are no tokens. False where other machines reach the port:
   * revoking the last token must not open it to all.
   */
  readonly openWithoutTokens: boolean
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Pick<Logger, 'info' | 'error'>
}

type Known =
  | { readonly kind: 'tokens'; readonly entries: readonly TokenEntry[] }
  | { readonly kind: 'unreadable' }

/**
 * How long a change on the disk may go unseen. Looking whether a few tiny files changed costs as much as
 * reading them, and times of files can deceive.
 */
const LOOK_AFTER_MS = 1000

/** No token of ours is longer, and hashing is paid by us. */
const MAX_TOKEN_CHARACTERS = 256

/** Clients send one, in one header or both; more are no client. */
const MAX_TOKENS_IN_REQUEST = 4

/** Reads the tokens when first asked, and again with the first request after a second. */
export function createTokenCheck(options: TokenCheckOptions): TokenCheck {
  const folder = new TokenFolder(options)
  return {
    check: (headers) => judge(folder.read(), headers, options.openWithoutTokens),
  }
}

function judge(known: Known, headers: RawHeaders, openWithoutTokens: boolean): TokenVerdict {
  if (known.kind === 'unreadable') {
    return refused(
      'the tokens on the disk cannot be read, so nobody can be let in',
      'See which: oss20bd token list',
    )
  }
  const { entries } = known
  if (entries.length === 0 && openWithoutTokens) return { kind: 'open' }
  const given = tokensIn(headers)
  if (given.length === 0) return refused('this port needs a token, and there is none', HOW)
  const name = nameOf(entries, given)
  if (name !== null) return { kind: 'ok', name }
  return refused('this token is not known here; it may have been revoked', HOW)
}

const HOW =
  'Make one with: oss20bd token add NAME, and give it to the app as its API key (Authorization: Bearer, or X-Api-Key)'

function refused(reason: string, hint: string): TokenVerdict {
  return { kind: 'refused', message: `Cannot let this request in: ${reason}`, hint }
}

/** Looks at every entry for every token: how long it takes tells nothing of where they differ. */
function nameOf(entries: readonly TokenEntry[], given: readonly string[]): string | null {
  let name: string | null = null
  for (const token of given) {
    const digest = digestOf(token)
    for (const entry of entries) if (timingSafeEqual(digest, entry.digest)) name = entry.name
  }
  return name
}

/** OpenAI clients send the first, Anthropic's the second, some both. */
function tokensIn(headers: RawHeaders): readonly string[] {
  const bearers = valuesOf(headers, 'authorization').map(
    (value) => /^bearer +(\S+) *$/i.exec(value)?.[1] ?? '',
  )
  const keys = valuesOf(headers, 'x-api-key').map((value) => value.trim())
  return [...bearers, ...keys]
    .filter((token) => token !== '' && token.length <= MAX_TOKEN_CHARACTERS)
    .slice(0, MAX_TOKENS_IN_REQUEST)
}

/**
 * A 401 that both OpenAI's and Anthropic's clients read: they look for the same `error`, and Anthropic's
 * for a `type` beside it.
 */
export function unauthorizedAnswer(
  api: Api | null,
  { message, hint }: { readonly message: string; readonly hint: string },
): OwnAnswer {
  const error = {
    message: `${message} (${hint})`,
    type: 'authentication_error',
    code: 'invalid_api_key',
    src: 'oss20bd',
  }
  return {
    status: 401,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'WWW-Authenticate': 'Bearer realm="oss20bd"',
    },
    body: `${JSON.stringify(api === 'messages' ? { type: 'error', error } : { error })}\n`,
  }
}

/** The tokens on the disk, as they were at most a second ago. */
class TokenFolder {
  readonly #options: TokenCheckOptions
  #known: Known = { kind: 'unreadable' }
  #lookAtMs = -Infinity
  #told: string | null = null

  constructor(options: TokenCheckOptions) {
    this.#options = options
  }

  read(): Known {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs < this.#lookAtMs) return this.#known
    this.#lookAtMs = nowMs + LOOK_AFTER_MS
    try {
      this.#known = { kind: 'tokens', entries: readTokens(this.#options.folder) }
      this.#tellReadable()
    } catch (error) {
      this.#known = { kind: 'unreadable' }
      this.#tellUnreadable(error)
    }
    return this.#known
  }

  #tellUnreadable(error: unknown): void {
    const reason = messageOf(error)
    if (reason === this.#told) return
    this.#told = reason
    const hint = error instanceof Oss20bdError ? error.hint : undefined
    this.#options.log.error('tokens unreadable: every request is refused', { reason, hint })
  }

  #tellReadable(): void {
    if (this.#told === null) return
    this.#told = null
    this.#options.log.info('tokens readable again')
  }
}
