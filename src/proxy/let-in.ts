/** Whom a request that Host and Origin let pass is from: its token says, or else the dashboard. Pure. */
import type { IncomingMessage } from 'node:http'
import type { IsGuest } from './proxy-options.ts'
import { pathOf } from './route.ts'
import type { TokenCheck, TokenVerdict } from './tokens.ts'

/** The name of who asks from the dashboard's page. */
const GUEST = 'dashboard'

/** Who has no token may still have the dashboard's session, which stands for one. Without a cookie nobody has. */
export function letIn(
  req: Pick<IncomingMessage, 'rawHeaders' | 'url' | 'method' | 'headers'>,
  { tokens, isGuest }: { readonly tokens: TokenCheck; readonly isGuest: IsGuest },
): TokenVerdict {
  const verdict = tokens.check(req.rawHeaders)
  if (verdict.kind === 'ok' || (verdict.kind === 'open' && req.headers.cookie === undefined)) {
    return verdict
  }
  const path = pathOf(req.url ?? '')
  return path !== null && isGuest(path, req) ? { kind: 'ok', name: GUEST } : verdict
}
