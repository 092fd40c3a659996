/** The downloader against a hub that goes wrong in every way we know: each a clear error, good bytes kept. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { makeModel, model, pullRig, SEGMENT_BYTES } from '../helpers/pull-rig.ts'
import { close, type HubCall, listen, sha256Of } from '../stand-ins/hub.ts'

const one = { connections: 1 }

test.each([
  [401, 'a token is needed, HF_TOKEN is not set', 1],
  [403, 'a token is needed, HF_TOKEN is not set', 1],
  [404, 'the file must be there', 1],
  [410, 'the file must be there', 1],
  [407, 'the proxy wants a password', 1],
  [418, 'answered 418', 1],
  [429, 'answered 429', 3],
  [500, 'answered 500', 3],
  [503, 'answered 503', 3],
])('a %i is told, with what to do', async (status, words, attempts) => {
  await using rig = await pullRig(({ response }) => void response.writeHead(status).end())
  await expect(rig.pull()).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringContaining(words),
    hint: expect.stringMatching(/\w/),
  })
  expect(rig.hub.requests).toHaveLength(attempts)
})

test('a token without access is told apart from none', async () => {
  await using rig = await pullRig(({ response }) => void response.writeHead(403).end())
  await expect(rig.pull({ token: 'hf_secret' })).rejects.toThrow(
    'the token in HF_TOKEN has no access',
  )
})

test.each([401, 403, 404, 429, 500, 503])(
  'a %i in the middle keeps what is there for the next time',
  async (status) => {
    let refuses = true
    await using rig = await pullRig((call) => {
      if (refuses && call.count === 4) call.response.writeHead(status).end()
      else call.serve()
    })
    await expect(rig.pull({ limits: { ...one, retries: 0 } })).rejects.toThrow(`answered ${status}`)
    expect(existsSync(rig.destination)).toBe(false)
    refuses = false
    expect(await rig.pull()).toMatchObject({ resumedBytes: 2 * SEGMENT_BYTES })
    expect(await rig.inPlace()).toBe(true)
  },
)

test('the pause that a server asks for is kept', async () => {
  const pauses: number[] = []
  await using rig = await pullRig((call) => {
    if (call.count === 2) call.response.writeHead(429, { 'retry-after': '7' }).end()
    else call.serve()
  })
  const clock = {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    // Ends at once what the pause is; the other waits are left to their signal.
    sleep: (delayMs: number, signal?: AbortSignal) => {
      if (delayMs === 7000) return Promise.resolve(void pauses.push(delayMs))
      return new Promise<void>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
      })
    },
  }
  await rig.pull({ clock, limits: one })
  expect(pauses).toEqual([7000])
  expect(await rig.inPlace()).toBe(true)
})

test('a pause of an hour is told, not waited for', async () => {
  await using rig = await pullRig(
    ({ response }) => void response.writeHead(429, { 'retry-after': '3600' }).end(),
  )
  await expect(rig.pull()).rejects.toThrow('it asks to wait 1 h')
  expect(rig.hub.requests).toHaveLength(1)
})

test('a circle of redirects is told', async () => {
  await using rig = await pullRig(
    ({ response, path }) =>
      void response.writeHead(302, { location: path === '/a' ? '/model.gguf' : '/a' }).end(),
  )
  await expect(rig.pull()).rejects.toThrow('redirects in a circle (2 redirects)')
})

test('an endless chain of redirects is told', async () => {
  await using rig = await pullRig(
    ({ response, count }) => void response.writeHead(302, { location: `/${count}` }).end(),
  )
  await expect(rig.pull()).rejects.toThrow('redirects in a circle (10 redirects)')
})

test('a redirect to no web address is told', async () => {
  await using rig = await pullRig(
    ({ response }) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  )
  await expect(rig.pull()).rejects.toThrow('an https address is needed')
})

test('an address that a redirect gave is asked for again when it has expired', async () => {
  await using rig = await pullRig((call) => {
    const { path, response, count } = call
    if (path === '/model.gguf')
      return void response.writeHead(302, { location: `/cdn-${count}` }).end()
    if (count === 4) return void response.writeHead(403).end()
    call.serve()
  })
  await rig.pull({ limits: one })
  expect(await rig.inPlace()).toBe(true)
  expect(rig.hub.requests.filter(({ path }) => path === '/model.gguf')).toHaveLength(2)
})

test('a server without ranges sends the whole, and after a break the whole again', async () => {
  await using rig = await pullRig((call) =>
    call.serve({ ranges: false, ...(call.count === 2 ? { breakAfter: 1_000_000 } : {}) }),
  )
  await rig.pull()
  expect(await rig.inPlace()).toBe(true)
  expect(rig.hub.ranges()).toEqual(['all', 'all'])
})

test('what a server without ranges sent is not taken up by the next run', async () => {
  await using rig = await pullRig((call) =>
    call.serve({ ranges: false, ...(call.count === 2 ? { breakAfter: 1_000_000 } : {}) }),
  )
  await expect(rig.pull({ limits: { retries: 0 } })).rejects.toThrow('broke')
  expect(await rig.pull()).toMatchObject({ resumedBytes: 0 })
  expect(await rig.inPlace()).toBe(true)
})

test('a server that loses its ranges on the way makes it begin anew', async () => {
  await using rig = await pullRig((call) => call.serve({ ranges: call.count < 4 }))
  await rig.pull({ limits: one })
  expect(await rig.inPlace()).toBe(true)
})

test.each([
  ['of the same size', model.length],
  ['of another size', model.length + 4096],
])('a file that changes between ranges to one %s is taken as it is now', async (_what, size) => {
  const newer = makeModel(size)
  await using rig = await pullRig((call) =>
    call.serve(call.count < 4 ? {} : { content: newer, etag: '"v2"' }),
  )
  await rig.pull({ expected: [], limits: one })
  expect(await rig.inPlace(newer)).toBe(true)
  expect(rig.logged.join()).toContain('has changed on the server')
})

test('a file that never stops changing is given up', async () => {
  await using rig = await pullRig((call) => call.serve({ etag: `"v${call.count}"` }))
  await expect(rig.pull({ expected: [], limits: one })).rejects.toThrow(
    'changes while it is downloaded',
  )
})

test('a server that answers with other ranges than asked spoils nothing', async () => {
  await using rig = await pullRig((call) => {
    if (call.isLook) return call.serve()
    const range = { 'content-range': `bytes 7-70/${model.length}`, etag: '"v1"' }
    call.response.writeHead(206, range).end(model.subarray(7, 71))
  })
  await expect(rig.pull({ limits: { ...one, retries: 0 } })).rejects.toThrow(
    'sends other parts of the file than are asked for',
  )
})

test('a connection on which nothing comes any more is made anew', async () => {
  await using rig = await pullRig((call) => call.serve(call.count === 2 ? { hangAfter: 1000 } : {}))
  await rig.pull({ limits: { ...one, stallMs: 150 } })
  expect(await rig.inPlace()).toBe(true)
  expect(rig.logged.join()).toContain('sent next to nothing for 150 ms')
})

test('a server that accepts and never answers is given up', async () => {
  await using rig = await pullRig(() => undefined)
  await expect(rig.pull({ limits: { stallMs: 100 } })).rejects.toThrow(
    'sent next to nothing for 100 ms',
  )
})

test('a connection that only trickles is made anew', async () => {
  await using rig = await pullRig((call) => {
    if (call.count !== 2) return call.serve()
    trickle(call)
  })
  await rig.pull({ limits: { ...one, stallMs: 150 } })
  expect(await rig.inPlace()).toBe(true)
  expect(rig.logged.join()).toContain('sent next to nothing')
})

/** A byte every few milliseconds: never silent, never done. */
function trickle({ response }: HubCall): void {
  response.writeHead(206, {
    'content-length': SEGMENT_BYTES,
    'content-range': `bytes 0-${SEGMENT_BYTES - 1}/${model.length}`,
    etag: '"v1"',
  })
  let sent = 0
  const timer = setInterval(() => {
    response.write(model.subarray(sent, sent + 1))
    sent += 1
  }, 10)
  response.on('close', () => clearInterval(timer))
}

test('a wrong checksum is told, and nothing is kept', async () => {
  const wrong = makeModel()
  await using rig = await pullRig((call) => call.serve({ content: wrong }))
  await expect(rig.pull()).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringMatching(
      `has the SHA-256 checksum ${sha256Of(wrong)}, it must be ${sha256Of(model)}`,
    ),
  })
  expect([rig.destination, rig.part, `${rig.part}.json`].filter(existsSync)).toEqual([])
})

test('a wrong size is told before anything is downloaded', async () => {
  await using rig = await pullRig((call) => call.serve({ content: makeModel(2_000_000) }))
  await expect(rig.pull()).rejects.toThrow('has 2000000 bytes, 3000000 are expected')
  expect(rig.hub.requests).toHaveLength(1)
})

test('a file without a size is refused', async () => {
  await using rig = await pullRig(({ response }) => void response.write(model.subarray(0, 100)))
  await expect(rig.pull()).rejects.toThrow('does not tell how large the file is')
})

test.each([
  ['a login page', '<!DOCTYPE html><html>sign in</html>', 'download-failed', 'a web page'],
  [
    'a PyTorch file',
    'PK\x03\x04....archive/data.pkl......',
    'model-unusable',
    'it is a PyTorch file',
  ],
  [
    'an old GGML file',
    'tjgg\x03\0\0\0.......................',
    'model-unusable',
    'the old GGJT format',
  ],
])('%s instead of the model is told by its first bytes', async (_what, content, code, words) => {
  await using rig = await pullRig((call) => call.serve({ content: Buffer.from(content, 'latin1') }))
  await expect(rig.pull({ expected: [] })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(words),
  })
  expect(rig.hub.requests).toHaveLength(1)
})

test('a GGUF that is not whole on the server is not put in place', async () => {
  const half = Buffer.from(model.subarray(0, 500_000))
  await using rig = await pullRig((call) => call.serve({ content: half }))
  await expect(rig.pull({ expected: [] })).rejects.toMatchObject({
    code: 'model-unusable',
    message: expect.stringContaining(`${rig.hub.origin}/model.gguf`),
  })
  expect([rig.destination, rig.part].filter(existsSync)).toEqual([])
})

test('a disk without room is told before anything is asked for', async () => {
  await using rig = await pullRig((call) => call.serve())
  const readFreeBytes = (): Promise<number> => Promise.resolve(2 ** 29 + 1000)
  await expect(rig.pull({ readFreeBytes })).rejects.toMatchObject({
    code: 'disk-full',
    message: expect.stringMatching(/512\.0 MiB free on the disk of .*, 514\.9 MiB needed$/),
  })
  expect(rig.hub.ranges()).toEqual([])
})

test('a disk that others fill meanwhile ends it, with all that came kept', async () => {
  let isFull = false
  await using rig = await pullRig((call) => {
    const isThird = call.count === 4
    isFull = isThird
    call.serve(isThird ? { hangAfter: 0 } : {})
  })
  const readFreeBytes = (): Promise<number> => Promise.resolve(isFull ? 0 : 2 ** 40)
  await expect(rig.pull({ readFreeBytes, limits: one })).rejects.toMatchObject({
    code: 'disk-full',
    hint: expect.stringContaining('goes on where it stopped'),
  })
  expect(await rig.pull()).toMatchObject({ resumedBytes: 2 * SEGMENT_BYTES })
  expect(await rig.inPlace()).toBe(true)
})

test('a disk that is full to the last byte is told', async () => {
  await using rig = await pullRig((call) => call.serve())
  await mkdir(rig.dir.file('models'))
  await symlink('/dev/full', rig.part)
  await expect(rig.pull({ limits: { tickMs: 60_000 } })).rejects.toMatchObject({
    code: 'disk-full',
    message: expect.stringContaining('no space left'),
  })
})

test('no server at all is told at once', async () => {
  await using rig = await pullRig(() => undefined)
  await expect(rig.pull({ url: 'http://127.0.0.1:1/model.gguf' })).rejects.toMatchObject({
    message: 'Cannot download the model: 127.0.0.1:1 refuses connections',
    hint: expect.stringContaining('--test-model'),
  })
})

test('the token goes to its own origin alone, and into no log and no error', async () => {
  await using cdn = await pullRig((call) => call.serve())
  await using rig = await pullRig(
    ({ response }) => void response.writeHead(302, { location: `${cdn.hub.origin}/cdn` }).end(),
  )
  await rig.pull({ token: 'hf_secret' })
  expect((await readFile(rig.destination)).equals(model)).toBe(true)
  expect(rig.hub.requests.map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret'])
  expect(cdn.hub.requests.map(({ authorization }) => authorization ?? 'none')).not.toContain(
    'Bearer hf_secret',
  )
  const broken = await rig
    .pull({ token: 'hf_secret', url: 'http://127.0.0.1:1/x', tokenOrigin: 'http://127.0.0.1:1' })
    .catch((error: unknown) => error)
  expect(inspect(broken, { depth: 20 })).toContain('refuses connections')
  expect(`${rig.logged.join()}${inspect(broken, { depth: 20 })}`).not.toContain('hf_secret')
})

test('a foreign address is never given the token', async () => {
  await using rig = await pullRig((call) => call.serve())
  await rig.pull({ token: 'hf_secret', tokenOrigin: 'https://hub.example' })
  expect(rig.hub.requests.every(({ authorization }) => authorization === undefined)).toBe(true)
})

test('an address that does not answer at first is not taken for a lost network', async () => {
  const server = createServer((_request, response) => response.writeHead(503).end())
  const origin = await listen(server)
  try {
    await using rig = await pullRig(() => undefined)
    await expect(rig.pull({ url: `${origin}/model.gguf` })).rejects.toThrow('answered 503')
  } finally {
    await close(server)
  }
})
