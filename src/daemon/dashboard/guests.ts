/** Who may use the dashboard, and ask the model from it, at a port that wants tokens. Pure but for the sessions. */
import type { IncomingMessage } from 'node:http'
import type { Sessions } from './session.ts'

/** The one question that the page asks. */
export const CHAT_PATH = '/v1/chat/completions'
export const PREFIX = '/oss20bd/'

type Asking = Pick<IncomingMessage, 'method' | 'headers'>

/**
 * The page itself tells nothing, so it is anybody's, and so is the door at which a session is opened. What it shows, its
 * buttons and its chat are for a session, and only when our own page asks.
 */
export function isGuest(path: string, req: Asking, sessions: Pick<Sessions, 'isOpen'>): boolean {
  if (isForAll(path, req.method ?? 'GET')) return true
  if (!path.startsWith(PREFIX) && path !== CHAT_PATH) return false
  return sessions.isOpen(req.headers.cookie) && isFromOwnPage(req)
}

function isForAll(path: string, method: string): boolean {
  if (path === `${PREFIX}session`) return true
  if (method !== 'GET' && method !== 'HEAD') return false
  return path === '/oss20bd' || path === PREFIX || path.startsWith(`${PREFIX}assets/`)
}

/**
 * SameSite keeps other sites out, but to a browser every port of this machine is one site. Their pages differ in Origin,
 * which comes with each POST, and in Sec-Fetch-Site, which new browsers send with a GET.
 */
export function isFromOwnPage({ method = 'GET', headers }: Asking): boolean {
  if (method !== 'GET' && method !== 'HEAD') return isOwnOrigin(headers.origin, headers.host)
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  return headers.origin === undefined || isOwnOrigin(headers.origin, headers.host)
}

/** Behind a TLS proxy only the scheme differs. */
function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined || host === undefined) return false
  return /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase()
}
