/** Letters of several bytes through the port: wherever the engine's writes cut them, the client has them whole. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { answerOf, errorOf, startRig } from '../../helpers/proxy-rig.ts'

const headers = { 'Content-Type': 'application/json' }
const words = ['こんにちは、', '世界', '👩‍💻', '🇯🇵', '𠮷野家', 'が\u3099', 'ｶﾅ', '\u2028']

function event(delta: object, finishReason: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finishReason }]
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices })}\n\n`
}

const stream = [
  event({ role: 'assistant', content: null }),
  ...words.map((word) => event({ reasoning_content: word })),
  ...words.map((word) => event({ content: word })),
  event({}, 'stop'),
  'data: [DONE]\n\n',
].join('')

/** Each piece is with the operating system before the next is written. */
async function writePieces(res: ServerResponse, bytes: Buffer, pieceBytes: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes)
    await new Promise<void>((resolve) => {
      res.write(piece, () => resolve())
    })
  }
}

test.each([1, 2, 3, 5, 7])('a stream that comes in pieces of %d bytes', async (pieceBytes) => {
  await using rig = await startRig((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    void writePieces(res, Buffer.from(stream), pieceBytes).then(() => res.end())
  })
  const request = rig.request('/v1/chat/completions', { method: 'POST', headers })
  const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content: words.join() }] })
  const answer = await answerOf(request, body)
  expect(answer).toMatchObject({ status: 200, whole: true })
  expect(answer.body.toString()).toBe(stream)
})

test.each(['👩', '世'])(
  'an engine that dies within %j leaves no half letter, and the client is told',
  async (letter) => {
    const bytes = Buffer.from(stream)
    const cutAt = bytes.lastIndexOf(letter) + 2
    await using rig = await startRig(
      (_req, res) => {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' })
        res.write(bytes.subarray(0, cutAt), () => res.destroy())
      },
      { continueStreams: false },
    )
    const request = rig.request('/v1/chat/completions', { method: 'POST', headers })
    const answer = await answerOf(request, '{"stream":true,"messages":[]}')
    const text = new TextDecoder('utf-8', { fatal: true }).decode(answer.body)
    const whole = stream.slice(0, stream.lastIndexOf('\n\n', stream.lastIndexOf(letter)) + 2)
    expect(text.startsWith(whole)).toBe(true)
    const last: unknown = JSON.parse(text.slice(whole.length).replace(/^data: /, ''))
    expect(last).toMatchObject({ error: { code: 'engine_died', src: 'oss20bd' } })
  },
)

test('a model that is named in Japanese is looked for by that name', async () => {
  await using rig = await startRig()
  const answer = await answerOf(rig.request(`/v1/models/${encodeURIComponent('日本語')}`))
  expect(answer.status).toBe(404)
  expect(errorOf(answer).message).toContain('"日本語"')
})
