import type { ServerResponse } from 'node:http'
import { expect, test, type TestContext } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { followFeed, type News } from '../../../../src/cli/top/feed.ts'
import { sendJson, startControlStandIn } from '../../../helpers/control-stand-in.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'
import { event, makeNow } from './scene.ts'

/** News as they come; `untilNews` resolves with the first one that is wanted. */
class Listener {
  readonly news: News[] = []
  #onNews: () => void = () => undefined

  readonly take = (news: News): void => {
    this.news.push(news)
    this.#onNews()
  }

  async untilNews(isWanted: (news: News) => boolean): Promise<News> {
    for (;;) {
      const found = this.news.find(isWanted)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        this.#onNews = resolve
      })
    }
  }
}

async function listen(
  onTestFinished: TestContext['onTestFinished'],
  answer: (asked: string, response: ServerResponse) => void,
) {
  const home = await tempDir()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const socketPath = home.file('run', 'control.sock')
  const listener = new Listener()
  const stop = new AbortController()
  const start = () => startControlStandIn(socketPath, answer)
  const standIn = await start()
  const { signal } = stop
  const following = followFeed({ socketPath, signal, clock: systemClock, onNews: listener.take })
  onTestFinished(async () => {
    stop.abort()
    await following
  })
  return { listener, standIn, start }
}

function tell(response: ServerResponse, name: string, data: unknown): void {
  response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}

const answerWell = (asked: string, response: ServerResponse): void => {
  if (asked.startsWith('GET /history')) return sendJson(response, { names: ['atMs'], rows: [[1]] })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('retry: 1000\n\n')
  tell(response, 'journal', [event('日本語🙂'), { no: 'event' }])
  tell(response, 'news of a later version', {})
  tell(response, 'now', { status: {} })
  tell(response, 'now', makeNow())
}

test('it tells the past, the journal and how it is now; what it does not know it leaves out', async ({
  onTestFinished,
}) => {
  const { listener, standIn } = await listen(onTestFinished, answerWell)
  onTestFinished(() => standIn.close())
  await listener.untilNews(({ kind }) => kind === 'now')
  expect(listener.news).toEqual([
    { kind: 'history', history: { names: ['atMs'], rows: [[1]] } },
    { kind: 'journal', events: [event('日本語🙂')] },
    { kind: 'now', now: makeNow() },
  ])
})

test('a daemon that goes away is told, and it comes back to the next one', async ({
  onTestFinished,
}) => {
  const { listener, standIn, start } = await listen(onTestFinished, answerWell)
  await listener.untilNews(({ kind }) => kind === 'now')
  await standIn.close()
  await listener.untilNews(
    (news) => news.kind === 'lost' && news.why === 'the daemon is not running',
  )
  listener.news.length = 0
  const next = await start()
  onTestFinished(() => next.close())
  const news = await listener.untilNews(({ kind }) => kind === 'now')
  expect(news).toEqual({ kind: 'now', now: makeNow() })
})

test('a daemon without a feed is said to be of another version', async ({ onTestFinished }) => {
  const { listener, standIn } = await listen(onTestFinished, (_asked, response) =>
    sendJson(response, { error: {} }, 404),
  )
  onTestFinished(() => standIn.close())
  const news = await listener.untilNews(({ kind }) => kind === 'lost')
  expect(news).toEqual({ kind: 'lost', why: 'the daemon is of another version' })
})
