/** What the public port answers for the daemon itself. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { ServePage } from '../proxy/proxy-options.ts'
import type { Metrics } from './metrics/metrics.ts'
import type { Snapshot } from './metrics/state-metrics.ts'

export interface PagesOptions {
  readonly metrics: Metrics
  readonly snapshot: () => Promise<Snapshot>
  readonly log: Pick<Logger, 'error'>
  /** All below `/oss20bd/`. */
  readonly dashboard: () => { readonly servePage: ServePage }
}

export function createPages(options: PagesOptions): ServePage {
  return (path, req, res) => {
    if (path !== '/metrics') return options.dashboard().servePage(path, req, res)
    if (!isRead(req, res)) return true
    void sendMetrics(options, req, res).catch((error: unknown) => {
      options.log.error('the metrics failed', { error: messageOf(error) })
      if (res.headersSent) res.destroy()
      else res.writeHead(500, { 'Content-Length': 0 }).end()
    })
    return true
  }
}

/** Answers anything but a GET or a HEAD with 405. */
function isRead({ method }: IncomingMessage, res: ServerResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return true
  res.writeHead(405, { Allow: 'GET, HEAD', 'Content-Length': 0 }).end()
  return false
}

async function sendMetrics(
  { metrics, snapshot }: PagesOptions,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { text, contentType } = await metrics.render(await snapshot())
  res.writeHead(200, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) })
  res.end(req.method === 'HEAD' ? undefined : text)
}
