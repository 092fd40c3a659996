import { once } from 'node:events'
import http from 'node:http'
import { createParser } from 'eventsource-parser'
import { expect, test, type TestContext, vi } from 'vitest'
import type { LogNews } from '../../../../src/daemon/dashboard/feed-protocol.ts'
import { LogTail } from '../../../../src/daemon/dashboard/log-tail.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

async function watched(onTestFinished: TestContext['onTestFinished']) {
  const clock = new FakeClock()
  const tail = new LogTail(clock, 'info')
  const ending = new AbortController()
  const running = tail.run(ending.signal)
  const server = http.createServer((_req, res) => void tail.admit(res, {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address instanceof Object ? address.port : 0
  onTestFinished(async () => {
    ending.abort()
    await running
    server.closeAllConnections()
    server.close()
  })
  let count = 0
  const print = (lines: number): void => {
    for (let line = 0; line < lines; line += 1) tail.take('info', `line ${(count += 1)}`)
  }
  return { clock, tail, print, watch: () => listen(port) }
}

/** What a viewer is told, from now on. */
async function listen(port: number): Promise<readonly LogNews[]> {
  const told: LogNews[] = []
  const parser = createParser({ onEvent: ({ data }) => told.push(JSON.parse(data)) })
  const [response]: http.IncomingMessage[] = await once(
    http.get({ port, host: '127.0.0.1' }),
    'response',
  )
  response?.setEncoding('utf8').on('data', (text: string) => parser.feed(text))
  await vi.waitFor(() => expect(told).not.toEqual([]), 10_000)
  return told
}

const textsOf = (news: LogNews | undefined): readonly string[] =>
  news?.lines.map(({ text }) => text) ?? []

test('shows the newest lines at once, and tells no viewer of what came before', async ({
  onTestFinished,
}) => {
  const { print, watch } = await watched(onTestFinished)
  print(1000)
  const [first] = await watch()
  expect(first?.leftOut).toBe(0)
  expect(textsOf(first)).toHaveLength(300)
  expect(textsOf(first).at(0)).toBe('line 701')
  expect(textsOf(first).at(-1)).toBe('line 1000')
})

test('of 10,000 lines a second a viewer gets a part, and every other line is counted', async ({
  onTestFinished,
}) => {
  const { clock, print, watch } = await watched(onTestFinished)
  print(3)
  const told = await watch()
  for (let quarter = 0; quarter < 12; quarter += 1) {
    print(2500)
    await clock.advance(250)
  }
  const sumOf = (): number => told.reduce((sum, news) => sum + news.lines.length + news.leftOut, 0)
  await vi.waitFor(() => expect(sumOf()).toBe(30_003), 10_000)
  expect(told.every(({ lines }) => lines.length <= 100)).toBe(true)
  expect(told.at(-1)?.lines.at(-1)?.text).toBe('line 30003')
})

test('few lines all come, in order, and a long one is cut', async ({ onTestFinished }) => {
  const { clock, tail, print, watch } = await watched(onTestFinished)
  print(1)
  const told = await watch()
  tail.take('debug', 'not in the file either')
  tail.take('error', 'x'.repeat(10_000))
  print(2)
  await clock.advance(250)
  await vi.waitFor(() => expect(told).toHaveLength(2), 10_000)
  const [long, ...others] = told[1]?.lines ?? []
  expect(long).toMatchObject({ level: 'error', text: `${'x'.repeat(500)} …` })
  expect(others.map(({ text }) => text)).toEqual(['line 2', 'line 3'])
})
