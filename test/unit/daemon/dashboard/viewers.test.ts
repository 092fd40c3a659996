import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Viewers } from '../../../../src/daemon/dashboard/viewers.ts'

async function serve(viewers: Viewers): Promise<number> {
  const server = http.createServer((_req, res) => {
    if (!viewers.admit(res, {})) res.writeHead(503).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  return (server.address() as AddressInfo).port
}

async function watch(port: number): Promise<http.IncomingMessage> {
  const request = http.get({ port, host: '127.0.0.1', agent: false })
  request.on('error', () => undefined)
  const [response]: http.IncomingMessage[] = await once(request, 'response')
  response!.on('error', () => undefined)
  return response!
}

test('one that does not read is let go and counted; the others hear all', async () => {
  const viewers = new Viewers()
  const port = await serve(viewers)
  const slow = await watch(port)
  slow.pause()
  const good = await watch(port)
  let heard = ''
  good.setEncoding('utf8').on('data', (text: string) => (heard += text))
  const text = 'x'.repeat(256 * 1024)
  while (viewers.dropped === 0) {
    const before = heard.length
    viewers.tell('now', { text })
    while (heard.length < before + text.length) await once(good, 'data')
  }
  expect({ open: viewers.count, dropped: viewers.dropped }).toEqual({ open: 1, dropped: 1 })
  viewers.tell('now', { last: 'a\nline' })
  while (!heard.endsWith('\n\n') || !heard.includes('last')) await once(good, 'data')
  expect(heard).toContain('event: now\ndata: {"last":"a\\nline"}\n\n')
})

test('more than sixteen are refused', async () => {
  const viewers = new Viewers()
  const port = await serve(viewers)
  const answers = []
  for (let n = 0; n < 17; n += 1) answers.push((await watch(port)).statusCode)
  expect(answers.filter((status) => status === 200)).toHaveLength(16)
  expect(answers.at(-1)).toBe(503)
})
