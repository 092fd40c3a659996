/** Why a route leads nowhere, in words. Pure. */
import type { OwnError } from './own-answer.ts'
import type { Route } from './route.ts'

export function routeError(
  route: Extract<Route, { kind: 'page' | 'refused' | 'closed' | 'ollama' }>,
): OwnError {
  if (route.kind === 'closed') {
    return {
      status: 403,
      code: 'endpoint_closed',
      message: `Cannot ${route.method} ${route.path}: it changes the engine or reads files, so it is closed here`,
      hint: 'the port serves apps; oss20bd itself looks after the engine',
    }
  }
  if (route.kind === 'ollama') {
    return {
      status: 404,
      code: 'ollama_api',
      message: `Cannot answer ${route.path}: it belongs to Ollama's own API, and this port speaks OpenAI's`,
      hint: `use ${insteadOf(route.path)}, or set the app to "OpenAI compatible" with the base URL of this port and /v1`,
    }
  }
  if (route.kind === 'page') {
    const message = `Cannot find ${route.path}: it is kept for oss20bd, and nothing is there`
    return { status: 404, code: 'not_found', message }
  }
  const code = route.status === 501 ? 'not_supported' : 'bad_request'
  return { status: route.status, code, message: route.message }
}

/** Where an app finds here what it wanted there. */
function insteadOf(path: string): string {
  switch (path.split('/')[2]) {
    case 'generate':
      return '/v1/completions'
    case 'tags':
    case 'show':
    case 'ps':
      return '/v1/models'
    case 'embed':
    case 'embeddings':
      return '/v1/embeddings'
    case 'version':
      return '/health'
    case undefined:
    default:
      return '/v1/chat/completions'
  }
}
