/** What the engine after a death answers, where its client has a part of the first one's answer, or nearly had. */
import type http from 'node:http'
import { expect, test } from 'vitest'
import { answerOf, bodyOf, startRig } from '../../helpers/proxy-rig.ts'

const headers = { 'Content-Type': 'application/json' }
const events = { 'Content-Type': 'text/event-stream' }
const role = 'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
const thought =
  'data: {"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"because"}}]}\n\n'
const words = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
const ask = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], stream: true })
const counts = [10, 15]

/** The first engine says `said` and dies; what comes after goes to `next`. Counting questions are answered. */
function dyingAfter(said: string, next: (res: http.ServerResponse) => void): http.RequestListener {
  let isDead = false
  let counted = 0
  const answer = async (req: http.IncomingMessage, res: http.ServerResponse): Promise<void> => {
    await bodyOf(req)
    if (req.url?.endsWith('/input_tokens') === true) {
      res.end(JSON.stringify({ input_tokens: counts[counted] }))
      counted += 1
    } else if (isDead) {
      next(res)
    } else {
      isDead = true
      res.writeHead(200, events)
      res.write(said, () => res.destroy())
    }
  }
  return (req, res) => void answer(req, res)
}

const tooLong = '{"error":{"code":400,"message":"exceeds the context","type":"invalid_request"}}'
const malformed =
  '{"error":{"code":500,"message":"The model produced output that does not match the expected peg-native format","type":"server_error"}}'

test.each([
  ['a stream that goes on', role + thought + words, 400, tooLong],
  ['a stream that goes on', role + thought + words, 500, malformed],
  ['a stream that goes on', role + thought + words, 200, '{"choices":[]}'],
  ['a stream that begins again', role, 500, malformed],
  ['a stream that begins again', role, 400, tooLong],
])('%s gets no bare JSON into it: after %j came %d %s', async (_, said, status, json) => {
  await using rig = await startRig(
    dyingAfter(said, (res) => {
      res.writeHead(status, headers)
      res.end(json)
    }),
  )
  const answer = await answerOf(
    rig.request('/v1/chat/completions', { method: 'POST', headers }),
    ask,
  )
  const text = answer.body.toString()
  expect(text.startsWith(said)).toBe(true)
  expect(text).not.toContain(json)
  expect(text).toMatch(/\n\ndata: \{"error":\{.*"src":"oss20bd".*\}\}\n\n$/)
  expect(text).not.toContain('[DONE]')
  expect(rig.proxy.counts()).toMatchObject({ served: 0, failed: 1 })
})

test('the head of an engine that died with it is forgotten: the client gets the one of the next', async () => {
  let asked = 0
  await using rig = await startRig((req, res) => {
    asked += 1
    if (asked > 1) return void res.writeHead(404, headers).end(tooLong)
    // A head waits for the first byte of a body whose length it tells.
    req.socket.end('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n')
  })
  const answer = await answerOf(
    rig.request('/v1/chat/completions', { method: 'POST', headers }),
    ask,
  )
  expect([answer.status, answer.body.toString(), asked]).toEqual([404, tooLong, 2])
})
