/** Listens to the daemon's live feed over the control socket, and comes back to it for as long as it takes. */
import { request, type IncomingMessage } from 'node:http'
import { createParser } from 'eventsource-parser'
import type { Clock } from '../../clock.ts'
import type { HistoryAnswer, Now } from '../../daemon/dashboard/feed-protocol.ts'
import { errnoOf, messageOf } from '../../errors.ts'
import type { JournalEvent } from '../../journal.ts'
import { field, isRecord, parseJson } from '../json.ts'

export type News =
  /** What was before; at the beginning of each connection. */
  | { readonly kind: 'history'; readonly history: HistoryAnswer }
  | { readonly kind: 'journal'; readonly events: readonly JournalEvent[] }
  | { readonly kind: 'event'; readonly event: JournalEvent }
  | { readonly kind: 'now'; readonly now: Now }
  /** The connection ended, or there was none. It is tried again. */
  | { readonly kind: 'lost'; readonly why: string }

export interface FeedOptions {
  readonly socketPath: string
  readonly signal: AbortSignal
  readonly clock: Pick<Clock, 'sleep'>
  readonly onNews: (news: News) => void
}

const AGAIN_AFTER_MS = 500
const HISTORY_MINUTES = 60
const MAX_HISTORY_BYTES = 4 * 1_048_576

/** Resolves when `signal` has aborted. */
export async function followFeed(options: FeedOptions): Promise<void> {
  const { signal, clock, onNews } = options
  while (!signal.aborted) {
    try {
      onNews({ kind: 'lost', why: await listen(options) })
    } catch (error) {
      if (!signal.aborted) onNews({ kind: 'lost', why: reasonOf(error) })
    }
    await clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined)
  }
}

/** Tells all that comes, until the connection ends; then why. */
async function listen({ socketPath, signal, onNews }: FeedOptions): Promise<string> {
  const history = parseJson(await readAll(await open(socketPath, historyPath, signal)))
  if (isHistory(history)) onNews({ kind: 'history', history })
  const feed = await open(socketPath, '/feed', signal)
  if (feed.statusCode !== 200) {
    feed.destroy()
    return 'the daemon is of another version'
  }
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const news = readNews(event ?? '', parseJson(data))
      if (news !== null) onNews(news)
    },
  })
  feed.setEncoding('utf8')
  for await (const chunk of feed) parser.feed(String(chunk))
  return 'the daemon ended'
}

const historyPath = `/history?minutes=${HISTORY_MINUTES}`

function open(socketPath: string, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false, signal }, resolve)
    asked.once('error', reject)
    asked.end()
  })
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > MAX_HISTORY_BYTES) throw new Error('its history is too long')
  }
  return text
}

function reasonOf(error: unknown): string {
  const errno = errnoOf(error) ?? ''
  if (errno === 'ENOENT' || errno === 'ECONNREFUSED') return 'the daemon is not running'
  if (errno === 'ECONNRESET' || errno === 'EPIPE') return 'the daemon broke off'
  return messageOf(error)
}

/** null for what an older or newer daemon may send. */
function readNews(event: string, data: unknown): News | null {
  if (event === 'now' && isNow(data)) return { kind: 'now', now: data }
  if (event === 'event' && isEvent(data)) return { kind: 'event', event: data }
  if (event !== 'journal' || !Array.isArray(data)) return null
  return { kind: 'journal', events: data.filter(isEvent) }
}

/** Enough to tell it from that of another version. */
function isNow(value: unknown): value is Now {
  return (
    typeof field(value, 'status', 'engine', 'state') === 'string' &&
    isRecord(field(value, 'status', 'proxy', 'today')) &&
    isRecord(field(value, 'status', 'gpu')) &&
    Array.isArray(field(value, 'requests', 'open')) &&
    Array.isArray(field(value, 'requests', 'recent')) &&
    typeof field(value, 'sample', 'atMs') === 'number'
  )
}

function isEvent(value: unknown): value is JournalEvent {
  return (
    typeof field(value, 'at') === 'string' &&
    typeof field(value, 'kind') === 'string' &&
    typeof field(value, 'message') === 'string' &&
    isRecord(field(value, 'facts'))
  )
}

function isHistory(value: unknown): value is HistoryAnswer {
  return Array.isArray(field(value, 'names')) && Array.isArray(field(value, 'rows'))
}
