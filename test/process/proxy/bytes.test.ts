/** What reaches the engine is, byte for byte, what the client sent; an alias of the model adds its effort, and that alone. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answerOf, bodyOf, type Rig, startRig } from '../../helpers/proxy-rig.ts'

let rig: Rig

/** An engine that answers with what it got. */
beforeAll(async () => {
  rig = await startRig((req, res) => {
    void bodyOf(req).then((body) =>
      res.end(JSON.stringify({ hash: hashOf(body), length: req.headers['content-length'] })),
    )
  })
})

afterAll(() => rig[Symbol.asyncDispose]())

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function got(path: string, body: Buffer): Promise<unknown> {
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }
  const answer = await answerOf(rig.request(path, { method: 'POST', headers }), body)
  return JSON.parse(answer.body.toString())
}

/** Of a body that is sent in chunks, without its length. */
async function gotOfPieces(path: string, body: Buffer, pieceBytes: number): Promise<unknown> {
  const headers = { 'Content-Type': 'application/json' }
  const request = rig.request(path, { method: 'POST', headers })
  for (let at = 0; at < body.length; at += pieceBytes) {
    request.write(body.subarray(at, at + pieceBytes))
  }
  return JSON.parse((await answerOf(request)).body.toString())
}

function whatWas(body: Buffer): unknown {
  return { hash: hashOf(body), length: String(body.length) }
}

const paths = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
  '/completion',
  '/infill',
  '/tokenize',
]

const bodies: [what: string, body: string | Buffer][] = [
  ['the plain name', '{"model":"gpt-oss-20b","messages":[]}'],
  ['spaces, order and line ends of its own', '{ "stream" : true ,\r\n\t"model":"gpt-oss-20b" }\n'],
  ['a stream', '{"stream":true,"messages":[{"role":"user","content":"hi"}],"temperature":0.70}'],
  ['numbers that JavaScript cannot hold', '{"seed":18446744073709551615,"top_p":1e400,"n":1.0}'],
  ['escapes that could be written in another way', String.raw`{"a":"\u0041\/\ud83d\udc4b\ud800"}`],
  ['one member twice', '{"model":"x","model":"gpt-oss-20b"}'],
  ['another model, with an effort', '{"model":"gpt-4o:low","stream":true}'],
  [
    'an alias that is no string of its own',
    '{"a":{"model":"gpt-oss-20b:low"},"b":"gpt-oss-20b:low"}',
  ],
  ['an alias in no object', '["gpt-oss-20b:low"]'],
  ['JSON that is cut', '{"model":"gpt-oss-20b:low","stream":true,"mess'],
  ['no JSON', 'model=gpt-oss-20b:low'],
  ['a byte order mark', '\uFEFF{"stream":true}'],
  ['what is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ['a megabyte', `{"stream":true,"prompt":"${'é'.repeat(500_000)}"}`],
]

test.each(bodies)('untouched: %s', async (_what, of) => {
  const body = Buffer.from(of)
  for (const path of paths) {
    expect(await got(path, body)).toEqual(whatWas(body))
    expect(await gotOfPieces(path, body, 1 + Math.floor(body.length / 3))).toEqual(whatWas(body))
  }
})

test('untouched: any JSON and any bytes, in any pieces', async () => {
  const json = fc
    .tuple(fc.json(), fc.constantFrom('', '\n', '  '))
    .map(([text, space]) => Buffer.from(`{"stream":true,${space}"any":${text}}`))
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 2000 }).map((all) => Buffer.from(all))
  const cases = fc.tuple(fc.constantFrom(...paths), fc.oneof(json, bytes), fc.integer({ min: 1 }))
  await fc.assert(
    fc.asyncProperty(cases, async ([path, body, pieceBytes]) => {
      expect(await gotOfPieces(path, body, pieceBytes)).toEqual(whatWas(body))
    }),
    { numRuns: 300 },
  )
})

const aliased: [path: string, body: string, withEffort: string][] = [
  [
    '/v1/chat/completions',
    '{ "model":"gpt-oss-20b:high",\n"seed":18446744073709551615 }',
    '{"reasoning_effort":"high", "model":"gpt-oss-20b:high",\n"seed":18446744073709551615 }',
  ],
  [
    '/v1/responses',
    '{"model":"gpt-oss-20b:low","reasoning":{ "summary":"auto"}}',
    '{"model":"gpt-oss-20b:low","reasoning":{"effort":"low", "summary":"auto"}}',
  ],
  [
    '/v1/messages',
    '{"model":"gpt-oss-20b:medium","stream":true}',
    '{"chat_template_kwargs":{"reasoning_effort":"medium"},"model":"gpt-oss-20b:medium","stream":true}',
  ],
]

test.each(aliased)('%s: an alias adds its effort, and every other byte stays', async (...given) => {
  const [path, body, withEffort] = given
  const wanted = whatWas(Buffer.from(withEffort))
  expect(await got(path, Buffer.from(body))).toEqual(wanted)
  expect(await gotOfPieces(path, Buffer.from(body), 7)).toEqual(wanted)
})

test.each(['/v1/completions', '/completion', '/tokenize'])(
  '%s knows no effort: an alias changes nothing',
  async (path) => {
    const body = Buffer.from('{"model":"gpt-oss-20b:high","prompt":"#"}')
    expect(await got(path, body)).toEqual(whatWas(body))
  },
)
