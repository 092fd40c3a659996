import { once } from 'node:events'
import http from 'node:http'
import { expect, test } from 'vitest'
import { requestBytes } from '../../../src/proxy/hand-over.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

/** The request as a server sees it that reads these bytes. */
async function readBack(bytes: (req: http.IncomingMessage) => Buffer, sent: string) {
  await using dir = await tempDir()
  const seen: http.IncomingMessage[] = []
  const server = http.createServer((req, res) => {
    seen.push(req)
    res.end(bytes(req))
  })
  server.listen(dir.file('s'))
  await once(server, 'listening')
  const request = http.request({
    socketPath: dir.file('s'),
    method: 'POST',
    path: '/v1/chat/completions?x=1',
    agent: false,
    headers: { 'transfer-encoding': 'chunked', 'x-tag': 'a', authorization: 'Bearer t' },
  })
  request.end(sent)
  const [response] = await once(request, 'response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  server.close()
  return text
}

test('line, headers and body are there; how the body comes is said anew', async () => {
  const pieces = [Buffer.from('{"a":'), Buffer.from('1}')]
  const text = await readBack(
    (req) => requestBytes(req, { kind: 'whole', pieces, lengthBytes: 7 }),
    '{"a":1}',
  )
  expect(text).toMatch(/^POST \/v1\/chat\/completions\?x=1 HTTP\/1\.1\r\n/)
  expect(text).toMatch(/\r\nContent-Length: 7\r\n\r\n\{"a":1\}$/)
  expect(text).toMatch(/\r\nx-tag: a\r\n/)
  expect(text).toMatch(/\r\nauthorization: Bearer t\r\n/)
  expect(text).not.toMatch(/chunked/)
})

test('one without a body has no length', async () => {
  const text = await readBack((req) => requestBytes(req, null), '')
  expect(text).toMatch(/\r\n\r\n$/)
  expect(text).not.toMatch(/length/i)
})
