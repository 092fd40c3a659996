/** Everything below `/oss20bd/` on the public port: the page, its live feed, its history and its buttons. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { messageOf } from '../../errors.ts'
import type { NewJournalEvent } from '../../journal.ts'
import type { LogLevel } from '../../engine.ts'
import type { IsGuest, ServePage } from '../../proxy/proxy-options.ts'
import type { ControlVerb } from '../control-protocol.ts'
import { answerAction } from './actions.ts'
import { type Assets, readAssets, sendAsset } from './assets.ts'
import { Feed, type FeedDoors } from './feed.ts'
import type { HistoryAnswer, SessionAnswer } from './feed-protocol.ts'
import { CHAT_PATH, isFromOwnPage, isGuest, PREFIX } from './guests.ts'
import { History, SAMPLE_EVERY_MS } from './history.ts'
import { LogTail } from './log-tail.ts'
import { Meter } from './meter.ts'
import { SAMPLE_FIELDS, thin } from './sample.ts'
import { Sessions } from './session.ts'

export interface DashboardDoors extends FeedDoors {
  /** The folder of the built page. */
  readonly page: string
  readonly act: (verb: ControlVerb) => void
  /** The least important level of the engine's lines that are logged. */
  readonly logLevel: LogLevel
  /** Whether the port lets everybody in, without a token. */
  readonly isOpenToAll: () => boolean
}

const SHOWN_SAMPLES = 720
const DAY_MINUTES = 1440

/** No inline script or style, nothing from elsewhere, in no frame. */
const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

export class Dashboard {
  readonly #doors: DashboardDoors
  readonly #feed: Feed
  readonly #history: History
  readonly #log: LogTail
  readonly #sessions: Sessions
  #assets: Promise<Assets> | null = null

  constructor(doors: DashboardDoors) {
    this.#doors = doors
    this.#feed = new Feed(doors)
    this.#history = new History({ file: join(doors.logs, 'history.bin'), log: doors.log })
    this.#log = new LogTail(doors.clock, doors.logLevel)
    this.#sessions = new Sessions({
      clock: doors.clock,
      identity: doors.logs,
      paths: [PREFIX, CHAT_PATH],
    })
  }

  /** As it goes into the journal. */
  tellEvent(event: NewJournalEvent): void {
    this.#feed.tellEvent(event)
  }

  /** One line of the engine's log. Returns at once. */
  tellLine(level: LogLevel, text: string): void {
    this.#log.take(level, text)
  }

  readonly isGuest: IsGuest = (path, req) => isGuest(path, req, this.#sessions)

  /** Where a browser opens the page with its buttons: works once. The secret is never sent in a request line. */
  makeLink(url: string): string {
    return `${url}${PREFIX}#open=${this.#sessions.makeLink()}`
  }

  readonly servePage: ServePage = (path, req, res) => {
    if (path === '/oss20bd') {
      res.writeHead(308, { ...headers, Location: PREFIX, 'Content-Length': 0 }).end()
      return true
    }
    if (!path.startsWith(PREFIX)) return false
    if (path === `${PREFIX}log` && !this.#hasSession(req)) {
      sendText(res, 401, 'Cannot show the log: it is locked. Run oss20bd open in a terminal')
      return true
    }
    this.watch(path.slice(PREFIX.length - 1), req, res)
    return true
  }

  /** `path` begins at the page: `/feed`. */
  watch(path: string, req: IncomingMessage, res: ServerResponse): void {
    void this.#answer(path.slice(1), req, res).catch((error: unknown) => {
      this.#doors.log.error('the dashboard failed', { path, error: messageOf(error) })
      if (res.headersSent) res.destroy()
      else sendText(res, 500, 'Cannot show this: a fault of oss20bd')
    })
  }

  /** Keeps the history and tells those who watch; resolves when `signal` has aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#feed.run(signal), this.#log.run(signal), this.#keepHistory(signal)])
  }

  async #keepHistory(signal: AbortSignal): Promise<void> {
    const meter = new Meter(this.#doors)
    try {
      for (;;) {
        const { sample } = await meter.take()
        await this.#history.add(sample)
        await this.#doors.clock.sleep(SAMPLE_EVERY_MS, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #answer(path: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.method === 'POST') return this.#act(path, req, res)
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      return sendText(res, 405, 'Cannot do that: it must be GET, HEAD or POST')
    }
    if (path === 'feed') return this.#openNews(this.#feed, req, res)
    if (path === 'log') return this.#openNews(this.#log, req, res)
    if (path === 'history') return this.#sendHistory(req, res)
    if (path === 'session') return this.#sendSession(req, res)
    const assets = await this.#readAssets()
    const asset = assets.get(path)
    if (asset !== undefined) return sendAsset(asset, headers, req, res)
    if (path !== '') return sendText(res, 404, `Nothing is at ${PREFIX}${path}`)
    return sendText(res, 503, 'Cannot show the dashboard: it is not built. Run: npm run build')
  }

  /** The log lies on the disk for its owner alone: other users of the machine do not get it here either. */
  #hasSession(req: IncomingMessage): boolean {
    return this.#sessions.isOpen(req.headers.cookie) && isFromOwnPage(req)
  }

  #sendSession(req: IncomingMessage, res: ServerResponse): void {
    const isOpen = this.#sessions.isOpen(req.headers.cookie)
    const answer: SessionAnswer = { isOpen, isNeeded: !isOpen && !this.#doors.isOpenToAll() }
    send(res, 200, 'application/json', JSON.stringify(answer))
  }

  #openNews(news: Pick<Feed, 'admit'>, req: IncomingMessage, res: ServerResponse): void {
    if (req.method === 'HEAD') return sendText(res, 200, '')
    if (news.admit(res, headers)) return
    sendText(res, 503, 'Cannot show more: too many dashboards are open')
  }

  async #act(path: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const doors = { ...this.#doors, sessions: this.#sessions }
    const answer = await answerAction(path, req, doors)
    if (answer === null) return sendText(res, 404, `Nothing is at ${PREFIX}${path}`)
    if (answer.cookies !== undefined) res.setHeader('Set-Cookie', answer.cookies)
    sendText(res, answer.code, answer.message)
  }

  async #sendHistory(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const asked = Number(new URL(req.url ?? '', 'http://page').searchParams.get('minutes') ?? '60')
    const minutes = asked >= 1 && asked <= DAY_MINUTES ? asked : DAY_MINUTES
    const lastMs = minutes * 60_000
    const samples = await this.#history.read(this.#doors.clock.nowMs(), lastMs)
    const answer: HistoryAnswer = {
      names: ['atMs', ...SAMPLE_FIELDS],
      rows: thin(samples, Math.max(SAMPLE_EVERY_MS, lastMs / SHOWN_SAMPLES)).map((sample) => [
        sample.atMs,
        ...SAMPLE_FIELDS.map((name) => sample[name]),
      ]),
    }
    send(res, 200, 'application/json', JSON.stringify(answer))
  }

  /** Once: a page that is built anew belongs to a new daemon. */
  #readAssets(): Promise<Assets> {
    this.#assets ??= readAssets(this.#doors.page)
    return this.#assets
  }
}

function sendText(res: ServerResponse, code: number, text: string): void {
  send(res, code, 'text/plain; charset=utf-8', text)
}

function send(res: ServerResponse, code: number, type: string, body: string): void {
  res.writeHead(code, {
    ...headers,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  })
  res.end(res.req.method === 'HEAD' ? undefined : body)
}
