/** A stream that has said its last word is over for its client, although its engine dies before the connection ends. */
import { describe, expect, test } from 'vitest'
import { answerOf, startRig } from '../../helpers/proxy-rig.ts'

const json = { 'Content-Type': 'application/json' }
const chunk = (choice: object): string => `data: ${JSON.stringify({ id: 'c', choices: [choice] })}`
const word = chunk({ index: 0, text: '0', finish_reason: null })
const closing = chunk({ index: 0, text: '', finish_reason: 'length' })
const streams: [path: string, request: object, events: string[]][] = [
  ['/v1/completions', {}, [word, closing, 'data: [DONE]']],
  // One that cannot go on.
  ['/v1/completions', { logprobs: 1 }, [word, closing, 'data: [DONE]']],
  [
    '/v1/responses',
    { input: 'hi' },
    [
      'event: response.created\ndata: {"type":"response.created","response":{"id":"r"}}',
      'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"0"}',
      'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r","output":[]}}',
    ],
  ],
  [
    '/v1/messages',
    { messages: [] },
    [
      'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}',
      'event: message_stop\ndata: {"type":"message_stop"}',
    ],
  ],
  ['/completion', {}, ['data: {"index":0,"content":"0","stop":true}']],
]

describe.each([true, false])('continueStreams = %s', (continueStreams) => {
  test.each(streams)('%s, asked %j', async (path, request, events) => {
    let asked = 0
    const text = events.map((event) => `${event}\n\n`).join('')
    await using rig = await startRig(
      (_req, res) => {
        asked += 1
        res.writeHead(200, { 'Content-Type': 'text/event-stream' })
        // Without the last chunk, which is empty and says no more than that it is the last.
        res.write(text, () => res.destroy())
      },
      { continueStreams },
    )
    const body = JSON.stringify({ ...request, prompt: 'hi', stream: true })
    const answer = await answerOf(rig.request(path, { method: 'POST', headers: json }), body)
    expect(answer).toMatchObject({ status: 200, whole: true })
    expect(answer.body.toString()).toBe(text)
    expect(asked).toBe(1)
    expect(rig.proxy.counts()).toMatchObject({ served: 1, failed: 0 })
  })
})
