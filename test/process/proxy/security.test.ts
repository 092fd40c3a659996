/** Who may use the port, which requests reach the engine, and in what form: sent as bytes, read as bytes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rigLimits, startRig, type Rig } from '../../helpers/proxy-rig.ts'
import {
  codeOf,
  postText,
  rawAnswer,
  rawClient,
  requestText,
  type StrictEngine,
  startStrictEngine,
} from './raw.ts'

type RigChanges = Parameters<typeof startRig>[1]

interface Scene extends AsyncDisposable {
  readonly rig: Rig
  readonly engine: StrictEngine
}

async function startScene(changes: RigChanges = {}): Promise<Scene> {
  const rig = await startRig(undefined, changes)
  const engine = await startStrictEngine(rig)
  return {
    rig,
    engine,
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
    },
  }
}

/** Nothing is left of what was sent, and the next one is served. */
async function expectSound({ rig, engine }: Scene): Promise<void> {
  const before = engine.seen.length
  const next = await rawAnswer(rig, postText('/v1/completions', '{"sound":1}'))
  expect(next?.body).toBe('POST /v1/completions {"sound":1}')
  expect(engine.seen.length).toBe(before + 1)
  expect(engine.faults).toEqual([])
  expect(rig.log.messages('error')).toEqual([])
}

describe('Host', () => {
  test.each([
    'localhost',
    'LOCALHOST.',
    'localhost:8020',
    '127.0.0.1:8020',
    '127.8.9.10',
    '[::1]:8020',
    'mac.home:8020',
    'only.this:1234',
  ])('%s is let in', async (host) => {
    await using scene = await startScene({ allowedHosts: ['mac.home', 'only.this:1234'] })
    const answer = await rawAnswer(scene.rig, `GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    expect(answer?.body).toBe('GET /x ')
    await expectSound(scene)
  })

  test.each([
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.nip.io', 403],
    ['127.1', 403],
    ['0.0.0.0', 403],
    ['[::]', 403],
    ['127.0.0.256', 403],
    ['only.this:4321', 403],
    ['notmac.home', 403],
    ['evil.example@localhost', 400],
    ['localhost:80@evil.example', 400],
    ['localhost/..', 400],
    ['localhost, evil.example', 400],
    ['localhost evil.example', 400],
    ['localhost\0', 400],
    ['', 400],
  ])('%j is refused with %d, also where the daemon itself answers', async (host, status) => {
    await using scene = await startScene({ allowedHosts: ['mac.home', 'only.this:1234'] })
    for (const line of ['POST /v1/completions', 'GET /health', 'GET /v1/models', 'OPTIONS /x']) {
      const bytes = `${line} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`
      expect((await rawAnswer(scene.rig, bytes))?.status).toBe(status)
    }
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })
})

describe('Origin', () => {
  const allowedOrigins = ['https://chat.example']

  test.each([
    'https://evil.example',
    'null',
    '',
    'file://',
    'http://localhost.evil.example',
    'http://evil.example/http://localhost',
    'http://localhost@evil.example',
    'https://chat.example.evil',
    'https://chat.example:444',
    'http://chat.example',
    'chrome-extension://localhost',
  ])('%j is refused, and may not read why', async (origin) => {
    await using scene = await startScene({ allowedOrigins: [...allowedOrigins, 'null'] })
    for (const line of ['GET /x', 'POST /v1/chat/completions', 'OPTIONS /v1/messages']) {
      const headers = [`Origin: ${origin}`, 'Content-Length: 0']
      const answer = await rawAnswer(scene.rig, requestText(line, headers))
      expect(codeOf(answer)).toBe('origin_not_allowed')
      expect(answer?.head).not.toMatch(/access-control/i)
    }
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })

  test('a bad one cannot hide behind a good one, nor behind thousands of other headers', async () => {
    await using scene = await startScene({ allowedOrigins })
    const many = Array.from({ length: 2500 }, () => 'a:')
    for (const headers of [
      ['Origin: http://localhost', 'Origin: https://evil.example'],
      ['Origin: https://evil.example', 'Origin: http://localhost'],
      [...many, 'Origin: https://evil.example'],
    ]) {
      const answer = await rawAnswer(scene.rig, requestText('GET /x', headers))
      expect(codeOf(answer)).toBe('origin_not_allowed')
    }
    const bytes = `GET /x HTTP/1.1\r\nHost: localhost\r\n${many.join('\r\n')}\r\nHost: evil.example\r\n\r\n`
    expect(codeOf(await rawAnswer(scene.rig, bytes))).toBe('bad_host')
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })

  test.each([
    'https://chat.example',
    'HTTPS://CHAT.EXAMPLE',
    'http://localhost:3000',
    'http://[::1]',
  ])('a page of %s may ask the engine and read its answers and errors', async (origin) => {
    await using scene = await startScene({ allowedOrigins })
    const texts = [
      postText('/v1/chat/completions', '{}', [`Origin: ${origin}`]),
      requestText('GET /v1/models', [`Origin: ${origin}`]),
      requestText('GET /health', [`Origin: ${origin}`]),
      postText('/props', '{}', [`Origin: ${origin}`]),
    ]
    for (const text of texts) {
      const answer = await rawAnswer(scene.rig, text)
      expect(answer?.headers.get('access-control-allow-origin')).toBe(origin)
      expect(answer?.headers.get('vary')).toMatch(/origin/i)
    }
    await expectSound(scene)
  })

  test('its browser asks first: the daemon answers for the engine, also while that is down, without token', async () => {
    const tokens = { check: () => ({ kind: 'refused', message: 'no', hint: 'no' }) as const }
    await using rig = await startRig(undefined, { allowedOrigins, tokens })
    const paths = ['/v1/chat/completions', '/v1/messages', '/tokenize', '/v1/models', '/unknown']
    for (const path of paths) {
      const answer = await rawAnswer(
        rig,
        requestText(`OPTIONS ${path}`, [
          'Origin: https://chat.example',
          'Access-Control-Request-Method: POST',
          'Access-Control-Request-Headers: authorization, content-type',
        ]),
      )
      expect(answer?.status).toBe(204)
      expect(answer?.headers.get('access-control-allow-origin')).toBe('https://chat.example')
      expect(answer?.headers.get('access-control-allow-headers')).toBe(
        'authorization, content-type',
      )
    }
    const headers = ['Origin: https://chat.example', 'Access-Control-Request-Method: POST']
    const answer = await rawAnswer(rig, requestText('OPTIONS /v1/responses', headers))
    expect(answer?.headers.get('access-control-allow-methods')).toContain('POST')
    expect(rig.proxy.counts()).toMatchObject({ held: 0, inFlight: 0, failed: 0 })
  })

  test('what the engine says about origins goes to nobody: a cached answer would tell any page', async () => {
    await using rig = await startRig((_req, res) => {
      res.setHeader('Access-Control-Allow-Origin', '*')
      res.setHeader('Access-Control-Allow-Credentials', 'true')
      res.end('{}')
    })
    const plain = await rawAnswer(rig, requestText('GET /props'))
    expect(plain?.status).toBe(200)
    expect(plain?.head).not.toMatch(/access-control/i)
    const page = await rawAnswer(rig, requestText('GET /props', ['Origin: http://localhost:3000']))
    expect(page?.head.match(/access-control-[a-z-]+: .*/gi)).toEqual([
      'Access-Control-Allow-Origin: http://localhost:3000',
    ])
  })
})

/** Method and path of every endpoint of llama-server that changes it or reads files. */
const closedEndpoints = [
  ['POST', '/props'],
  ['POST', '/slots/0'],
  ['GET', '/lora-adapters'],
  ['POST', '/lora-adapters'],
  ['GET', '/tools'],
  ['POST', '/tools'],
  ['GET', '/cors-proxy'],
  ['POST', '/cors-proxy'],
  ['POST', '/models'],
  ['DELETE', '/models'],
  ['POST', '/models/load'],
  ['POST', '/models/unload'],
  ['GET', '/models/sse'],
  ['GET', '/v1/stream'],
  ['DELETE', '/v1/stream'],
  ['POST', '/v1/streams/lookup'],
  ['POST', '/v1/chat/completions/control'],
] as const

const isClosedAtEngine = (method: string, path: string): boolean =>
  closedEndpoints.some(([verb, closed]) => {
    const isSame = closed === '/slots/0' ? /^\/slots\/[^/]*\/?$/.test(path) : path === closed
    return isSame && (verb === method || (verb === 'GET' && method === 'HEAD'))
  })

/** As cpp-httplib reads a target: cut at the fragment and the query, decoded once, %uXXXX too; then compared as it is. */
function pathAtEngine(target: string): string {
  const path = target.split('#', 1)[0]?.split('?', 1)[0] ?? ''
  return path.replaceAll(/%u([0-9a-f]{4})|%([0-9a-f]{2})/gi, (_, wide?: string, two?: string) =>
    String.fromCharCode(Number.parseInt(wide ?? two ?? '', 16)),
  )
}

/** The same path, spelled so that a careless reader would take it for another one. */
const spelling = (path: string): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom('plain', 'plain', 'hex', 'HEX', 'wide', 'twice', 'case', 'double'), {
      minLength: path.length,
      maxLength: path.length,
    })
    .chain((ways) =>
      fc
        .constantFrom(
          '',
          '/',
          '?x=1',
          '#x',
          '%3Fx',
          '%23x',
          ';x',
          '/.',
          '%00',
          '%20',
          '/%2e',
          '?/../',
        )
        .map(
          (end) =>
            path
              .split('')
              .map((letter, at) => spell(letter, ways[at]))
              .join('') + end,
        ),
    )

function spell(letter: string, way: string | undefined): string {
  const hex = letter.charCodeAt(0).toString(16)
  const spellings: Readonly<Record<string, string>> = {
    hex: `%${hex}`,
    HEX: `%${hex.toUpperCase()}`,
    wide: `%u00${hex}`,
    twice: `%25${hex}`,
    case: letter.toUpperCase(),
    double: letter === '/' ? '//' : letter,
  }
  return spellings[way ?? 'plain'] ?? letter
}

describe('endpoints of the engine that are closed', () => {
  test.each(closedEndpoints)('%s %s is answered with 403', async (method, path) => {
    await using scene = await startScene()
    const encoded = path
      .split('')
      .map((letter) => (letter === '/' ? '/' : spell(letter, 'hex')))
      .join('')
    for (const target of [path, `${path}?action=save`, `${path}#x`, encoded]) {
      const answer = await rawAnswer(
        scene.rig,
        requestText(`${method} ${target}`, ['Content-Length: 2'], '{}'),
      )
      expect([answer?.status, codeOf(answer)]).toEqual([403, 'endpoint_closed'])
    }
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })

  test('no other spelling of one reaches it, whatever the engine would make of it', async () => {
    await using scene = await startScene()
    const { rig, engine } = scene
    const closed = fc
      .constantFrom(...closedEndpoints)
      .chain(([method, path]) => spelling(path).map((target) => ({ method, target })))
    await fc.assert(
      fc.asyncProperty(closed, async ({ method, target }) => {
        const answer = await rawAnswer(
          rig,
          requestText(`${method} ${target}`, ['Content-Length: 0']),
          method,
        )
        expect(answer?.status).toBeGreaterThanOrEqual(200)
        for (const seen of engine.seen.splice(0)) {
          expect(isClosedAtEngine(seen.method, pathAtEngine(seen.target))).toBe(false)
        }
      }),
      { numRuns: 400 },
    )
    await expectSound(scene)
  })

  test('a spelling of an endpoint that takes a slot is queued like the plain one', async () => {
    await using scene = await startScene()
    const { rig } = scene
    rig.proxy.setSlots(0)
    const targets = [
      '/v1/%63ompletions',
      '/v1/chat%2Fcompletions',
      '/completion#x',
      '/v1/messages?a',
    ]
    const clients = await Promise.all(
      targets.map(async (target) => (await rawClient(rig)).send(postText(target))),
    )
    await expect.poll(() => rig.proxy.waiting().length).toBe(targets.length)
    expect(scene.engine.seen).toEqual([])
    rig.proxy.setSlots(1)
    for (const client of clients) expect((await client.answer())?.status).toBe(200)
    await expectSound(scene)
  })
})

/** Bytes that two servers might read in two ways, and what may come of them: our refusal, or one request. */
const ambiguous: readonly [name: string, bytes: string, allowed: readonly string[]][] = [
  ['two lengths that differ', postText('/a', 'xx', ['Content-Length: 1']), []],
  ['two lengths that agree', postText('/a', 'xx', ['Content-Length: 2']), []],
  ['a list of lengths', requestText('POST /a', ['Content-Length: 2, 2'], 'xx'), []],
  ['a signed length', requestText('POST /a', ['Content-Length: +2'], 'xx'), []],
  ['a negative length', requestText('POST /a', ['Content-Length: -2'], 'xx'), []],
  ['a hexadecimal length', requestText('POST /a', ['Content-Length: 0x2'], 'xx'), []],
  ['an endless length', requestText('POST /a', [`Content-Length: ${'9'.repeat(30)}`], 'xx'), []],
  ['a length and chunks', postText('/a', '0\r\n\r\n', ['Transfer-Encoding: chunked']), []],
  [
    'chunks and a length',
    requestText('POST /a', ['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'),
    [],
  ],
  [
    'chunks that are not last',
    requestText('POST /a', ['Transfer-Encoding: chunked, gzip'], '0\r\n\r\n'),
    [],
  ],
  [
    'a coding like chunks',
    requestText('POST /a', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'),
    [],
  ],
  [
    'a coding with a parameter',
    requestText('POST /a', ['Transfer-Encoding: chunked;q=1'], '0\r\n\r\n'),
    [],
  ],
  [
    'identity',
    requestText('POST /a', ['Transfer-Encoding: identity', 'Content-Length: 2'], 'xx'),
    [],
  ],
  [
    'an empty coding',
    requestText('POST /a', ['Transfer-Encoding:', 'Content-Length: 2'], 'xx'),
    [],
  ],
  [
    'a space before the colon',
    requestText('POST /a', ['Transfer-Encoding : chunked'], '0\r\n\r\n'),
    [],
  ],
  [
    'chunks behind a vertical tab',
    requestText('POST /a', ['Transfer-Encoding: \x0bchunked'], '0\r\n\r\n'),
    [],
  ],
  ['a folded header', requestText('GET /a', ['X-A: 1', ' folded: 2']), []],
  ['a folded length', requestText('POST /a', ['Content-Length:', ' 2'], 'xx'), ['POST /a xx']],
  ['a header without a name', requestText('GET /a', [': x']), []],
  ['a header without a colon', requestText('GET /a', ['X-A']), []],
  ['a name with a space', requestText('GET /a', ['X A: 1']), []],
  ['NUL in a value', requestText('GET /a', ['X-A: 1\x002']), []],
  ['NUL in a name', requestText('GET /a', ['X\0A: 1']), []],
  ['a bare CR in a value', requestText('GET /a', ['X-A: 1\rX-B: 2']), []],
  ['NUL in the target', requestText('GET /a\0b'), []],
  ['a tab in the target', requestText('GET /a\tb'), []],
  ['two spaces before the target', 'GET  /a HTTP/1.1\r\nHost: localhost\r\n\r\n', ['GET /a ']],
  ['a lower case method', requestText('get /a'), []],
  ['an unknown method', requestText('HACK /a'), []],
  ['HTTP/0.9', 'GET /a\r\n\r\n', []],
  ['HTTP/2 by its own preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', []],
  ['HTTP/1.2', 'GET /a HTTP/1.2\r\nHost: localhost\r\n\r\n', []],
  ['HTTP/3.0', 'GET /a HTTP/3.0\r\nHost: localhost\r\n\r\n', []],
  ['an absolute target', requestText('GET http://localhost/a'), []],
  ['an absolute target of elsewhere', requestText('GET http://evil.example/a'), []],
  ['an authority as target', requestText('GET evil.example:80'), []],
  ['a star', requestText('GET *'), []],
  ['.. in the target', requestText('GET /a/../props'), []],
  ['an encoded .. in the target', requestText('GET /a/%2e%2e/props'), []],
  ['.. behind an encoded slash', requestText('GET /a%2f..%2fprops'), []],
  ['.. between backslashes', requestText('GET /a\\..\\props'), []],
  ['a broken encoding', requestText('GET /%zz'), []],
  [
    'a size of chunk with a sign',
    requestText('POST /a', ['Transfer-Encoding: chunked'], '+2\r\nxx\r\n0\r\n\r\n'),
    [],
  ],
  [
    'a size of chunk too large',
    requestText('POST /a', ['Transfer-Encoding: chunked'], 'fffffffffffffffff\r\n'),
    [],
  ],
  [
    'a chunk longer than its size',
    requestText('POST /a', ['Transfer-Encoding: chunked'], '1\r\nxx\r\n0\r\n\r\n'),
    [],
  ],
  [
    'a chunk that ends in LF',
    requestText('POST /a', ['Transfer-Encoding: chunked'], '2\nxx\n0\n\n'),
    [],
  ],
  ['TRACE', requestText('TRACE /a'), ['TRACE /a ']],
  [
    'a chunk with an extension',
    requestText('POST /a', ['Transfer-Encoding: chunked'], '2;a=b;c="d"\r\nxx\r\n0\r\n\r\n'),
    ['POST /a xx'],
  ],
  [
    'trailers',
    requestText(
      'POST /a',
      ['Transfer-Encoding: chunked', 'Trailer: Host'],
      '2\r\nxx\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\r\n',
    ),
    ['POST /a xx'],
  ],
  [
    'a length that Connection names',
    postText('/a', 'xx', ['Connection: content-length, close']),
    ['POST /a xx'],
  ],
  ['a host that Connection names', requestText('GET /a', ['Connection: host, close']), ['GET /a ']],
  ['lines that end in LF', 'GET /a HTTP/1.1\nHost: localhost\n\n', ['GET /a ']],
  [
    'a header that ends in LF',
    'GET /a HTTP/1.1\r\nHost: localhost\r\nX-A: 1\nX-B: 2\r\n\r\n',
    ['GET /a '],
  ],
  ['empty lines before it', `\r\n\r\n${requestText('GET /a')}`, ['GET /a ']],
  [
    'a length with zeros before it',
    requestText('POST /a', ['Content-Length: 0002'], 'xx'),
    ['POST /a xx'],
  ],
  ['a GET with a body', requestText('GET /a', ['Content-Length: 2'], 'xx'), ['GET /a xx']],
  [
    'a body without length',
    requestText('POST /a', ['Connection: close'], 'GET /b HTTP/1.1\r\n\r\n'),
    ['POST /a '],
  ],
  ['HTTP/1.0 without Host', 'GET /a HTTP/1.0\r\n\r\n', ['GET /a ']],
  [
    'HTTP/1.0 with chunks',
    'POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n',
    ['POST /a xx'],
  ],
  ['a fragment', requestText('GET /a#b'), ['GET /a#b ']],
  ['a target beyond ASCII', requestText('GET /\xe4'), ['GET /\xe4 ']],
]

describe('requests that two servers might read in two ways', () => {
  test.each(ambiguous)('%s', async (_, bytes, allowed) => {
    await using scene = await startScene()
    const { rig, engine } = scene
    const client = await rawClient(rig)
    const answer = await client.send(bytes).answer()
    const isPassed = answer !== null && answer.status < 300
    const seen = engine.seen
      .splice(0)
      .map(({ method, target, body }) => `${method} ${target} ${body}`)
    expect(allowed.includes(seen.join()) || seen.length === 0).toBe(true)
    expect(isPassed).toBe(seen.length === 1)
    const isOurRefusal = codeOf(answer) !== undefined || answer === null
    expect(isPassed || isOurRefusal).toBe(true)
    client.socket.destroy()
    await expectSound(scene)
  })

  test('what is refused leaves nothing behind on its connection that could be read as a request', async () => {
    await using scene = await startScene()
    const smuggled = requestText('GET /smuggled')
    for (const [, bytes] of ambiguous.filter(([, , allowed]) => allowed.length === 0)) {
      const client = await rawClient(scene.rig)
      client.send(bytes + smuggled)
      await client.answer()
      client.socket.end()
      await client.rest()
    }
    const targets = scene.engine.seen.splice(0).map(({ target }) => target)
    // Those whose own end is beyond doubt: what follows them is a request of its own.
    expect(targets.every((target) => target === '/smuggled')).toBe(true)
    await expectSound(scene)
  })

  test('a trailer is never a header', async () => {
    await using scene = await startScene()
    const body = '2\r\n{}\r\n0\r\nX-Late: 1\r\nAuthorization: Bearer late\r\n\r\n'
    await rawAnswer(scene.rig, requestText('POST /a', ['Transfer-Encoding: chunked'], body))
    expect([...(scene.engine.seen[0]?.headers.keys() ?? [])]).not.toContain('x-late')
    expect(scene.engine.seen[0]?.body).toBe('{}')
    await expectSound(scene)
  })
})

describe('headers', () => {
  test('too many bytes of them are 431, in one header, in many, and in the target', async () => {
    await using scene = await startScene()
    const long = 'a'.repeat(20_000)
    const many = Array.from({ length: 3000 }, (_, index) => `X-${index}: 1`)
    for (const bytes of [
      requestText('GET /a', [`X-A: ${long}`]),
      requestText('GET /a', [`${long}: x`]),
      requestText('GET /a', many),
      requestText(`GET /${long}`),
    ]) {
      expect((await rawAnswer(scene.rig, bytes))?.status).toBe(431)
    }
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })

  test('many small ones and duplicates pass', async () => {
    await using scene = await startScene()
    const many = Array.from({ length: 1500 }, (_, index) => `x${index}:1`)
    const answer = await rawAnswer(
      scene.rig,
      requestText('GET /a', [...many, 'Accept: a', 'Accept: b']),
    )
    expect(answer?.status).toBe(200)
    expect(scene.engine.seen[0]?.headers.get('x1499')).toBe('1')
    await expectSound(scene)
  })

  test('what belongs to one connection, proves a client or lets the engine run on is not passed', async () => {
    await using scene = await startScene()
    const secret = [
      'Authorization: Bearer s3cret',
      'X-Api-Key: s3cret',
      'Api-Key: s3cret',
      'Cookie: s3cret',
      'Proxy-Authorization: s3cret',
      'X-Conversation-Id: s3cret',
      'Connection: keep-alive, X-Mine',
      'X-Mine: s3cret',
      'Keep-Alive: s3cret',
      'TE: s3cret',
      'Proxy-Connection: s3cret',
      'HTTP2-Settings: plain',
    ]
    await rawAnswer(scene.rig, postText('/a', '{}', secret))
    const [seen] = scene.engine.seen
    expect(
      [...(seen?.headers.entries() ?? [])].filter(([, value]) => value.includes('s3cret')),
    ).toEqual([])
    expect(seen?.headers.get('connection')).toBe('keep-alive')
    expect(scene.rig.log.text()).not.toContain('s3cret')
    await expectSound(scene)
  })
})

describe('another protocol', () => {
  test.each([
    [
      'a WebSocket',
      requestText('GET /v1/chat/completions', [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Key: x',
      ]),
    ],
    [
      'a WebSocket as second choice',
      requestText('GET /a', ['Connection: Upgrade', 'Upgrade: h2c, websocket']),
    ],
    ['TLS within HTTP', requestText('OPTIONS /a', ['Connection: Upgrade', 'Upgrade: TLS/1.0'])],
    ['a tunnel', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a tunnel to an endpoint', 'CONNECT /v1/completions HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['Redis', '*1\r\n$4\r\nPING\r\n'],
  ])('%s is refused', async (_, bytes) => {
    await using scene = await startScene()
    const answer = await rawAnswer(scene.rig, bytes)
    expect(codeOf(answer)).toMatch(/^(not_supported|bad_request)$/)
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })

  test('nothing behind a refused upgrade is passed on as it is', async () => {
    await using scene = await startScene()
    const client = await rawClient(scene.rig)
    client.send(requestText('GET /a', ['Connection: Upgrade', 'Upgrade: websocket']))
    client.send(Buffer.from('8180deadbeef', 'hex'))
    expect((await client.answer())?.status).toBe(501)
    await client.rest()
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })
})

describe('several requests at once on one connection', () => {
  test('are answered in their order, each with its own body', async () => {
    await using scene = await startScene()
    const client = await rawClient(scene.rig)
    const texts = Array.from({ length: 50 }, (_, index) =>
      index % 3 === 0
        ? requestText(`GET /g${index}`)
        : index % 3 === 1
          ? postText(`/v1/completions?${index}`, `{"n":${index}}`)
          : requestText(`POST /c${index}`, ['Transfer-Encoding: chunked'], `3\r\nabc\r\n0\r\n\r\n`),
    )
    client.send(texts.join(''))
    for (let index = 0; index < 50; index += 1) {
      const answer = await client.answer()
      expect(answer?.body).toMatch(new RegExp(`^[A-Z]+ /\\S*${index}(?:$| )`))
    }
    client.socket.destroy()
    expect(scene.engine.seen).toHaveLength(50)
    await expectSound(scene)
  })

  test('the later ones wait for the earlier: one connection has one request at work', async () => {
    let most = 0
    const waiting: (() => void)[] = []
    await using rig = await startRig((_req, res) => {
      most = Math.max(
        most,
        waiting.push(() => res.end('ok')),
      )
    })
    const client = await rawClient(rig)
    client.send(Array.from({ length: 500 }, (_, index) => requestText(`GET /${index}`)).join(''))
    for (let index = 0; index < 500; index += 1) {
      await expect.poll(() => waiting.length, { interval: 1 }).toBeGreaterThan(0)
      for (const answer of waiting.splice(0)) answer()
      expect((await client.answer())?.body).toBe('ok')
    }
    expect(most).toBe(1)
  })

  test('more of them than any client sends ahead end the connection', async () => {
    let asked = 0
    await using rig = await startRig(() => {
      asked += 1
    })
    const client = await rawClient(rig)
    client.send(requestText('GET /x').repeat(1500))
    expect(await client.rest()).toBe('')
    await expect.poll(() => rig.proxy.counts().inFlight).toBe(0)
    expect(asked).toBeLessThanOrEqual(1)
    expect((await rawAnswer(rig, requestText('GET /health')))?.status).toBe(200)
  })

  test('a client that leaves takes those with it that were still to come', async () => {
    await using scene = await startScene()
    const { rig, engine } = scene
    rig.proxy.setSlots(0)
    const client = await rawClient(rig)
    client.send(postText('/v1/completions') + requestText('GET /later'))
    await expect.poll(() => rig.proxy.waiting().length).toBe(1)
    client.socket.destroy()
    await expect.poll(() => rig.proxy.waiting().length).toBe(0)
    rig.proxy.setSlots(1)
    await expectSound(scene)
    expect(engine.seen.map(({ target }) => target)).toEqual(['/v1/completions'])
  })

  test('a malformed one behind a good one reaches nobody', async () => {
    await using scene = await startScene()
    const client = await rawClient(scene.rig)
    client.send(`${requestText('GET /good')}GET /bad HTTP/1.1\r\nHost: localhost\r\nX\0: 1\r\n\r\n`)
    const text = await client.rest()
    expect(text.split('HTTP/1.1 ').length).toBeLessThanOrEqual(3)
    expect(scene.engine.seen.every(({ target }) => target === '/good')).toBe(true)
    await expectSound({ ...scene })
  })
})

describe('Expect', () => {
  test.each(['100-continue', '100-CONTINUE'])(
    '%s is answered by us and not passed on',
    async (expectation) => {
      await using scene = await startScene()
      const client = await rawClient(scene.rig)
      client.send(requestText('POST /a', [`Expect: ${expectation}`, 'Content-Length: 2']))
      expect((await client.answer())?.status).toBe(100)
      client.send('xx')
      expect((await client.answer())?.body).toBe('POST /a xx')
      expect(scene.engine.seen[0]?.headers.has('expect')).toBe(false)
      client.socket.destroy()
      await expectSound(scene)
    },
  )

  test.each([
    ['something else', ['Expect: 200-ok', 'Content-Length: 2'], 'xx'],
    ['something else and a host of elsewhere', ['Expect: 200-ok', 'Host: evil.example'], ''],
  ])('%s is refused in our words', async (_, headers, body) => {
    await using scene = await startScene()
    const answer = await rawAnswer(scene.rig, requestText('POST /a', headers, body))
    expect(answer?.status).toBeGreaterThanOrEqual(400)
    expect(codeOf(answer)).toBeDefined()
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })

  test('of a client that sends its body all the same changes nothing', async () => {
    await using scene = await startScene()
    const client = await rawClient(scene.rig)
    client.send(postText('/a', 'xx', ['Expect: 100-continue']) + requestText('GET /b'))
    expect((await client.answer())?.status).toBe(100)
    expect((await client.answer())?.body).toBe('POST /a xx')
    expect((await client.answer())?.body).toBe('GET /b ')
    client.socket.destroy()
    await expectSound(scene)
  })

  test('a refused one that sends its body all the same is not read as the next request', async () => {
    await using scene = await startScene()
    const body = requestText('GET /smuggled')
    const client = await rawClient(scene.rig)
    client.send(postText('/props', body, ['Expect: 100-continue']))
    const answer = await client.answer()
    expect([answer?.status, answer?.headers.get('connection')]).toEqual([403, 'close'])
    await client.rest()
    expect(scene.engine.seen).toEqual([])
    await expectSound(scene)
  })
})

describe('anything at all', () => {
  const RUNS = 2000
  const WITHIN_MS = 10_000
  const seeds = [
    requestText('GET /x?a=b', ['Origin: http://localhost', 'Connection: keep-alive']),
    postText('/v1/chat/completions', '{"model":"gpt-oss-20b:low","stream":true,"messages":[]}'),
    postText('/v1/messages', '{"max_tokens":1}', ['X-Api-Key: k', 'Expect: 100-continue']),
    requestText(
      'POST /tokenize',
      ['Transfer-Encoding: chunked'],
      '5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n',
    ),
    requestText(
      'POST /v1/completions',
      ['Transfer-Encoding: chunked', 'Connection: close'],
      '0\r\n\r\n',
    ),
    `${postText('/a', 'xx')}${requestText('HEAD /b')}${requestText('GET /c')}`,
    'GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  ]
  const pieces = [
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '/',
    '//',
    '%2e%2e',
    '..',
    '#',
    '?',
    '\xff',
    '0',
    '1',
    'f',
    'Content-Length: 3\r\n',
    'Content-Length: 0\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: evil.example\r\n',
    'Host: localhost\r\n',
    'Upgrade: websocket\r\n',
    'Connection: upgrade\r\n',
    'Expect: 100-continue\r\n',
    '0\r\n\r\n',
    '\r\n\r\n',
    'GET /props HTTP/1.1\r\n',
    'HTTP/1.1',
    'HTTP/1.0',
    'chunked',
    '\x0b',
    '3\r\nabc\r\n',
  ]
  const change = fc.record({
    kind: fc.constantFrom('insert', 'replace', 'drop', 'double', 'cut', 'flip'),
    at: fc.integer({ min: 0, max: 9999 }),
    span: fc.integer({ min: 1, max: 20 }),
    piece: fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary-ascii', maxLength: 6 })),
  })
  type Change = { kind: string; at: number; span: number; piece: string }

  function mutate(text: string, changes: readonly Change[]): string {
    let bytes = text
    for (const { kind, at: where, span, piece } of changes) {
      const at = where % (bytes.length + 1)
      const [before, hit, after] = [
        bytes.slice(0, at),
        bytes.slice(at, at + span),
        bytes.slice(at + span),
      ]
      if (kind === 'insert') bytes = before + piece + hit + after
      else if (kind === 'replace') bytes = before + piece + after
      else if (kind === 'drop') bytes = before + after
      else if (kind === 'double') bytes = before + hit + hit + after
      else if (kind === 'cut') bytes = before
      else
        bytes =
          before +
          hit
            .split('')
            .map((letter) => String.fromCharCode(letter.charCodeAt(0) ^ (1 << (span % 8))))
            .join('') +
          after
    }
    return bytes
  }

  test(`${RUNS} mutations of good requests: each ends, and the engine gets whole requests only`, async () => {
    const limits = { ...rigLimits, headersTimeoutMs: 100, uploadTimeoutMs: 100 }
    await using scene = await startScene({ limits, allowedOrigins: ['https://chat.example'] })
    const { rig, engine } = scene
    let reached = 0
    const bytes = fc
      .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 3 }))
      .map(([seed, changes]) => mutate(seed, changes))
    const batch = fc.array(bytes, { minLength: 25, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(batch, async (texts) => {
        const startedMs = performance.now()
        await Promise.all(
          texts.map(async (text) => {
            const client = await rawClient(rig)
            await client.send(text).anything()
            client.socket.end()
            await client.rest()
          }),
        )
        expect(performance.now() - startedMs).toBeLessThan(WITHIN_MS)
        expect(engine.faults).toEqual([])
        reached += engine.seen.length
        for (const { method, target } of engine.seen.splice(0)) {
          expect(isClosedAtEngine(method, pathAtEngine(target))).toBe(false)
        }
        expect(rig.log.messages('error')).toEqual([])
      }),
      { numRuns: RUNS / 25, seed: 20, endOnFailure: true },
    )
    expect(reached).toBeGreaterThan(RUNS / 20)
    await expect.poll(() => rig.proxy.counts().inFlight).toBe(0)
    await expectSound(scene)
  }, 120_000)
})
