/** Who may use the public port: judges Host and Origin, and the address to listen on. Pure. */
import { Oss20bdError } from '../errors.ts'

export type Access =
  | { readonly kind: 'allowed' }
  | {
      readonly kind: 'refused'
      readonly status: 400 | 403
      readonly code: 'bad_host' | 'host_not_allowed' | 'origin_not_allowed'
      readonly message: string
      readonly hint?: string
    }

export interface AccessQuestion {
  /** Every Host header of the request, every Origin header. */
  readonly hosts: readonly string[]
  readonly origins: readonly string[]
  /** HTTP/1.0 needs no Host. Browsers, whose pages are the danger here, always send one. */
  readonly httpVersion: string
  /** Names (any port) or `name:port` from `proxy.allowedHosts`. */
  readonly allowedHosts: readonly string[]
  /** `scheme://host[:port]` from `proxy.allowedOrigins`. */
  readonly allowedOrigins: readonly string[]
}

/**
 * A web page may point a name of its own at 127.0.0.1 (DNS rebinding) or just post to the port: the first
 * shows in Host, the second in Origin.
 */
export function judgeAccess(question: AccessQuestion): Access {
  const refused = judgeHost(question) ?? judgeOrigin(question)
  return refused ?? { kind: 'allowed' }
}

/** Throws `unsafe-bind` when `host` would let other machines in and there are no tokens to tell them apart. */
export function assertSafeBind(host: string, hasTokens: boolean): void {
  if (hasTokens || isLoopback(host)) return
  throw new Oss20bdError(
    'unsafe-bind',
    `Cannot listen on ${host}: any machine on the network could use the model, the address must be a loopback one`,
    {
      hint: 'Set proxy.host to 127.0.0.1, or let apps in by tokens: oss20bd token add NAME',
    },
  )
}

/** Whether an address to listen on is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return isLoopbackName(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)
}

/** `localhost`, 127.0.0.0/8 or `[::1]`, without port. */
function isLoopbackName(name: string): boolean {
  const lower = name.toLowerCase().replace(/\.$/, '')
  if (lower === 'localhost' || lower === '[::1]') return true
  const octets = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(lower)
  return octets !== null && octets.slice(1).every((octet) => Number(octet) <= 255)
}

function judgeHost(question: AccessQuestion): Access | null {
  const [host, ...more] = question.hosts
  if (more.length > 0) {
    return badHost('Cannot tell which host is meant: there must be one Host header only')
  }
  if (host === undefined) {
    if (question.httpVersion === '1.0') return null
    return badHost('Cannot tell which host is meant: the Host header is missing')
  }
  const parsed = parseHost(host)
  if (parsed === null) return badHost('Cannot read the Host header: it must be name or name:port')
  if (isLoopbackName(parsed.name)) return null
  const allowed = new Set(question.allowedHosts.map((name) => name.toLowerCase()))
  if (allowed.has(parsed.name) || allowed.has(`${parsed.name}:${parsed.port}`)) return null
  return {
    kind: 'refused',
    status: 403,
    code: 'host_not_allowed',
    message: `Cannot answer for the host ${parsed.name}: it must be a loopback name or one of proxy.allowedHosts`,
    hint: `Use http://localhost, or add "${parsed.name}" to proxy.allowedHosts in the config`,
  }
}

function badHost(message: string): Access {
  return { kind: 'refused', status: 400, code: 'bad_host', message }
}

function judgeOrigin(question: AccessQuestion): Access | null {
  const { origins } = question
  if (origins.length === 0) return null
  const allowed = question.allowedOrigins.map(plainOrigin)
  // Several Origin headers come from no browser: each must be good, so that none can hide behind another.
  if (origins.every((origin) => isLoopbackOrigin(origin) || isListed(origin, allowed))) return null
  return {
    kind: 'refused',
    status: 403,
    code: 'origin_not_allowed',
    message: `Cannot answer a web page of ${JSON.stringify(origins.join(', '))}: its origin must be a loopback one or one of proxy.allowedOrigins`,
    hint: 'Add the origin to proxy.allowedOrigins in the config, if that page may use the model',
  }
}

/** Any page can have the origin "null" (a sandboxed frame does), so listing it would let everybody in. */
function isListed(origin: string, allowed: readonly string[]): boolean {
  return origin !== 'null' && allowed.includes(plainOrigin(origin))
}

function plainOrigin(origin: string): string {
  return origin.toLowerCase().replace(/\/$/, '')
}

function isLoopbackOrigin(origin: string): boolean {
  const match = /^https?:\/\/(.+)$/i.exec(origin)
  const parsed = match?.[1] === undefined ? null : parseHost(match[1])
  return parsed !== null && isLoopbackName(parsed.name)
}

/** The name in lower case without a final dot, and the port or `''`; `null` for anything that is not a host. */
function parseHost(host: string): { name: string; port: string } | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(host)
  if (match?.[1] === undefined) return null
  return { name: match[1].toLowerCase().replace(/\.$/, ''), port: match[2] ?? '' }
}
