/** Why a route leads nowhere, in words. Pure. */
import type { OwnError } from './own-answer.ts'
import type { Route } from './route.ts'

export function routeError(
  route: Extract<Route, { kind: 'page' | 'refused' | 'closed' }>,
): OwnError {
  if (route.kind === 'closed') {
    return {
      status: 403,
      code: 'endpoint_closed',
      message: `Cannot ${route.method} ${route.path}: it changes the engine or reads files, so it is closed here`,
      hint: 'the port serves apps; oss20bd itself looks after the engine',
    }
  }
  if (route.kind === 'page') {
    const message = `Cannot find ${route.path}: it is kept for oss20bd, and nothing is there`
    return { status: 404, code: 'not_found', message }
  }
  const code = route.status === 501 ? 'not_supported' : 'bad_request'
  return { status: route.status, code, message: route.message }
}
