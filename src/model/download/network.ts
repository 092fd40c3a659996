/** Opens addresses: the token to its own host alone, through the proxy of the environment, never waiting for ever. */
import { once } from 'node:events'
import type { Agent as HttpAgent, IncomingHttpHeaders } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import got, { RequestError, TimeoutError, type Request } from 'got'
import { HttpProxyAgent, HttpsProxyAgent } from 'hpagent'
import { getProxyForUrl } from 'proxy-from-env'
import type { Clock } from '../../clock.ts'
import { errnoOf, Oss20bdError } from '../../errors.ts'
import { DownloadError, GOES_ON, stalled } from './download-error.ts'
import type { ByteRange } from './byte-ranges.ts'
import { LargeReadHttpAgent, LargeReadHttpsAgent } from './large-reads.ts'

export interface NetworkOptions {
  /** A Hugging Face token; it goes only to `tokenOrigin`, never into a log or message. */
  readonly token: string | null
  /** As `URL.origin` spells it. */
  readonly tokenOrigin: string
  /** A connection on which nothing arrives for so long is given up. */
  readonly stallMs: number
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>
}

export interface Asked {
  readonly range?: ByteRange
  readonly ifRange?: string | null
  readonly signal: AbortSignal
}

/** A head that has arrived, and the body to read; `close` when it is not read to its end. */
export interface Answer {
  readonly url: URL
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly body: AsyncIterable<Buffer>
  close(): void
}

type Agents = { readonly http: HttpAgent; readonly https: HttpsAgent }

export class Network implements Disposable {
  readonly #options: NetworkOptions
  /** By the address of the proxy; the empty text is no proxy. */
  readonly #agents = new Map<string, Agents>()

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  get stallMs(): number {
    return this.#options.stallMs
  }

  get clock(): NetworkOptions['clock'] {
    return this.#options.clock
  }

  sendsTokenTo(url: URL): boolean {
    return this.#options.token !== null && url.origin === this.#options.tokenOrigin
  }

  /** Resolves with any answer, whatever its status; redirects are not followed. Throws `DownloadError`. */
  async open(url: URL, asked: Asked): Promise<Answer> {
    const proxy = proxyOf(url)
    try {
      const request = got.stream(url, {
        headers: this.#headers(url, asked),
        agent: this.#agentsFor(proxy),
        decompress: false,
        followRedirect: false,
        throwHttpErrors: false,
        retry: { limit: 0 },
        timeout: { socket: this.#options.stallMs },
        signal: asked.signal,
      })
      await this.#head(request, url)
      const { statusCode = 0, headers = {} } = request.response ?? {}
      const close = (): void => void request.destroy()
      return { url, statusCode, headers, body: this.#body(request, url, proxy, asked), close }
    } catch (error) {
      throw this.#explain(error, url, proxy, asked.signal)
    }
  }

  [Symbol.dispose](): void {
    for (const { http, https } of this.#agents.values()) {
      http.destroy()
      https.destroy()
    }
  }

  /** got's own limits begin with a connection: a proxy that never makes one would be waited for. */
  async #head(request: Request, url: URL): Promise<void> {
    const arrived = new AbortController()
    const late = this.#options.clock.sleep(this.#options.stallMs, arrived.signal).then(
      () => request.destroy(stalled(url.host, this.#options.stallMs)),
      () => undefined,
    )
    try {
      await once(request, 'response')
    } finally {
      arrived.abort()
      await late
    }
  }

  async *#body(
    request: Request,
    url: URL,
    proxy: string,
    { signal }: Asked,
  ): AsyncGenerator<Buffer> {
    try {
      for await (const piece of request) yield asBuffer(piece)
    } catch (error) {
      throw this.#explain(error, url, proxy, signal)
    }
  }

  #headers(url: URL, { range, ifRange }: Asked): Record<string, string> {
    return {
      'user-agent': 'oss20bd',
      // Compressed bytes could be neither counted nor resumed.
      'accept-encoding': 'identity',
      ...(this.sendsTokenTo(url) ? { authorization: `Bearer ${this.#options.token}` } : {}),
      ...(range === undefined ? {} : { range: `bytes=${range[0]}-${range[1] - 1}` }),
      ...(ifRange === undefined || ifRange === null ? {} : { 'if-range': ifRange }),
    }
  }

  #agentsFor(proxy: string): Agents {
    const known = this.#agents.get(proxy)
    if (known !== undefined) return known
    const kept = { keepAlive: true }
    const made =
      proxy === ''
        ? { http: new LargeReadHttpAgent(kept), https: new LargeReadHttpsAgent(kept) }
        : {
            http: new HttpProxyAgent({ ...kept, proxy }),
            https: new HttpsProxyAgent({ ...kept, proxy }),
          }
    this.#agents.set(proxy, made)
    return made
  }

  #explain(error: unknown, url: URL, proxy: string, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    const inner =
      error instanceof RequestError && error.cause instanceof Error ? error.cause : error
    if (inner instanceof Oss20bdError || !(error instanceof RequestError)) return inner
    if (error instanceof TimeoutError) return stalled(url.host, this.#options.stallMs)
    return connectionError(error, url, proxy)
  }
}

function asBuffer(piece: unknown): Buffer {
  if (piece instanceof Buffer) return piece
  throw new TypeError('got gave something else than bytes')
}

/** The proxy that the environment names for this address, or the empty text. Throws `usage`. */
function proxyOf(url: URL): string {
  const proxy = getProxyForUrl(url.href)
  if (proxy === '') return ''
  if (URL.canParse(proxy) && /^https?:$/.test(new URL(proxy).protocol)) return proxy
  // It may hold a password: it is not shown.
  throw new Oss20bdError(
    'usage',
    'Cannot use the proxy of the environment: its address must begin with http:// or https://',
    { hint: 'Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or name this host in NO_PROXY' },
  )
}

/** The words alone go on: the error holds the request, and with it the token. */
function connectionError(error: RequestError, url: URL, proxy: string): DownloadError {
  const through = proxy === '' ? '' : ` (through the proxy ${new URL(proxy).host})`
  const what = connectionWords(error, url.host)
  const refused = /^Bad response: (\d+)$/.exec(error.message)?.[1]
  if (refused !== undefined) {
    const password = refused === '407' ? ', it wants a name and a password' : ''
    return new DownloadError(
      `the proxy ${new URL(proxy).host} answered ${refused}${password}`,
      'Correct HTTPS_PROXY (http://NAME:PASSWORD@HOST:PORT), or name the host in NO_PROXY',
      refused.startsWith('5') ? 'again' : 'never',
    )
  }
  if (isDistrusted(error)) return distrusted(error, url)
  return new DownloadError(
    `${what}${through}`,
    `Check the network, then: ${GOES_ON}; \`oss20bd up --test-model\` needs no network`,
    'again',
    { cause: new Error(error.message) },
  )
}

const DISTRUSTED =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:GET_ISSUER_CERT(?:_LOCALLY)?|VERIFY_LEAF_SIGNATURE)|CERT_(?:HAS_EXPIRED|NOT_YET_VALID|UNTRUSTED)|ERR_TLS_CERT_ALTNAME_INVALID)$/

function isDistrusted({ code }: RequestError): boolean {
  return DISTRUSTED.test(code)
}

/** Somebody stands between: most often a company's proxy that opens TLS, or a network that wants a login. */
function distrusted({ message }: RequestError, { host }: URL): DownloadError {
  return new DownloadError(
    `the certificate of ${host} is not trusted here (${message})`,
    'Check the clock of this machine and the network; behind a proxy that opens TLS, set NODE_EXTRA_CA_CERTS to the file of its certificate',
    'never',
  )
}

function connectionWords(error: RequestError, host: string): string {
  const errno = errnoOf(error)
  if (errno === 'ENOTFOUND' || errno === 'EAI_AGAIN') {
    return `the address of ${host} is not known here (no network, or no name server)`
  }
  if (errno === 'ECONNREFUSED') return `${host} refuses connections`
  return `the connection to ${host} broke (${error.message})`
}
