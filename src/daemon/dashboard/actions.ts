/** What the buttons of the page do: only for a session that a one-time link has opened, and only for our own page. */
import type { IncomingMessage } from 'node:http'
import type { RequestLog } from '../../proxy/accounting/request-log.ts'
import type { ControlVerb } from '../control-protocol.ts'
import type { PageVerb } from './feed-protocol.ts'
import { isFromOwnPage } from './guests.ts'
import type { Sessions } from './session.ts'

export interface ActionDoors {
  readonly sessions: Sessions
  readonly act: (verb: ControlVerb) => void
  readonly requests: Pick<RequestLog, 'cancel'>
}

export interface ActionAnswer {
  readonly code: number
  readonly message: string
  readonly cookies?: readonly string[]
}

/** A link's secret has 43 characters. */
const MAX_BODY_BYTES = 256
const verbs: ReadonlySet<string> = new Set<PageVerb>(['start', 'restart', 'unload', 'load'])

/** null when there is no such action. `path` begins after `/oss20bd/`. */
export async function answerAction(
  path: string,
  req: IncomingMessage,
  doors: ActionDoors,
): Promise<ActionAnswer | null> {
  const [what = '', name = ''] = path.split('/', 2)
  if (!['session', 'act', 'cancel'].includes(what)) return null
  if (!isFromOwnPage(req)) {
    return {
      code: 403,
      message: 'Cannot do this for another page: it must be asked by the dashboard itself',
    }
  }
  if (what === 'session') return openSession(await readBody(req), doors.sessions)
  if (!doors.sessions.isOpen(req.headers.cookie)) {
    return {
      code: 401,
      message: 'Cannot do this: the buttons are locked. Run oss20bd open in a terminal',
    }
  }
  if (what === 'cancel') return cancel(name, doors)
  if (!isVerb(name)) return null
  doors.act(name)
  return { code: 202, message: 'Begun' }
}

function openSession(secret: string | null, sessions: Sessions): ActionAnswer {
  const cookies = secret === null ? null : sessions.redeem(secret)
  if (cookies !== null) return { code: 200, message: 'Unlocked for 12 hours', cookies }
  return {
    code: 401,
    message: 'Cannot use this link: it works once, for five minutes. Run oss20bd open again',
  }
}

function cancel(id: string, { requests }: ActionDoors): ActionAnswer {
  if (requests.cancel(id)) return { code: 202, message: `Cancelled ${id}` }
  return { code: 404, message: `Cannot cancel ${id}: no open request has this id` }
}

function isVerb(name: string): name is PageVerb {
  return verbs.has(name)
}

/** null when it is too long. */
async function readBody(req: IncomingMessage): Promise<string | null> {
  let text = ''
  for await (const chunk of req) {
    text += String(chunk)
    if (text.length > MAX_BODY_BYTES) return null
  }
  return text
}
