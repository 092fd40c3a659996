/** The downloader against a hub that does what it should, and against lost connections. */
import { EventEmitter, once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readOrigin } from '../../src/model/origin.ts'
import { expectedOf, makeModel, model, pullRig, SEGMENT_BYTES } from '../helpers/pull-rig.ts'
import { sha256Of } from '../stand-ins/hub.ts'

test('it downloads in ranges, checks the whole and puts it in place with a note of its origin', async () => {
  await using rig = await pullRig((call) => call.serve())
  const sha256 = sha256Of(model)
  const pulled = { kind: 'downloaded', sizeBytes: 3_000_000, sha256, checked: 'published' }
  expect(await rig.pull()).toEqual({ ...pulled, resumedBytes: 0 })
  expect(await rig.inPlace()).toBe(true)
  expect(rig.hub.ranges().toSorted()).toEqual(
    ['0-524287', '524288-1048575', '1048576-1572863', '1572864-2097151', '2097152-2621439']
      .concat('2621440-2999999')
      .toSorted(),
  )
  expect(await readOrigin(rig.destination)).toMatchObject({
    source: `${rig.hub.origin}/model.gguf`,
    sha256,
    checked: 'published',
  })
  expect(rig.progress.at(-1)).toMatchObject({ phase: 'checking', fraction: 1, bytes: 3_000_000 })
})

test('several requests are open at once', async () => {
  const waiting: (() => void)[] = []
  await using rig = await pullRig((call) => {
    if (call.isLook || waiting.length >= 3) return call.serve()
    // None of the first three is answered before all three have come.
    waiting.push(() => call.serve())
    if (waiting.length === 3) for (const serve of waiting) serve()
  })
  await rig.pull()
  expect(await rig.inPlace()).toBe(true)
})

test('a model that is there already is not downloaded again', async () => {
  await using rig = await pullRig((call) => call.serve())
  await rig.pull()
  const before = rig.hub.requests.length
  expect(await rig.pull()).toMatchObject({ kind: 'present', checked: 'published' })
  expect(rig.hub.requests.slice(before).map(({ range }) => range)).toEqual(['bytes=0-63'])
})

test('a model that somebody put there by hand is checked and noted, not downloaded', async () => {
  await using rig = await pullRig((call) => call.serve())
  await rig.pull()
  await writeFile(`${rig.destination}.origin.json`, 'broken')
  expect(await rig.pull()).toMatchObject({ kind: 'present' })
  expect(await readOrigin(rig.destination)).toMatchObject({ sha256: sha256Of(model) })
})

test('a damaged file in place is replaced', async () => {
  await using rig = await pullRig((call) => call.serve())
  await rig.pull()
  await writeFile(rig.destination, model.subarray(0, 1000))
  expect(await rig.pull()).toMatchObject({ kind: 'downloaded' })
  expect(await rig.inPlace()).toBe(true)
})

test('a broken connection goes on where it broke', async () => {
  await using rig = await pullRig((call) =>
    call.serve(call.count === 2 ? { breakAfter: 100_000 } : {}),
  )
  await rig.pull({ expected: [], limits: { connections: 1 } })
  expect(await rig.inPlace()).toBe(true)
  const [first, second] = rig.hub.ranges()
  expect(first).toBe('0-524287')
  const from = Number(second?.split('-')[0])
  expect(from).toBeGreaterThan(0)
  expect(from).toBeLessThanOrEqual(100_000)
  expect(rig.hub.requests[2]?.ifRange).toBe('"v1"')
})

test('breaks are not counted while more and more arrives', async () => {
  const long = makeModel(8_000_000)
  await using rig = await pullRig((call) => call.serve({ breakAfter: 1_400_000 }), long)
  await rig.pull({ limits: { connections: 1, segmentBytes: 8_000_000, retries: 1 } })
  expect(await rig.inPlace()).toBe(true)
  expect(rig.hub.ranges().length).toBeGreaterThan(4)
})

test('a server that only ever breaks is given up, and says where it goes on', async () => {
  await using rig = await pullRig((call) => call.serve(call.isLook ? {} : { breakAfter: 1000 }))
  await expect(rig.pull()).rejects.toMatchObject({
    code: 'download-failed',
    hint: expect.stringContaining('goes on where it stopped'),
  })
})

test('a stopped pull goes on: what is on disk is not fetched twice, and is hashed', async () => {
  await using rig = await pullRig((call) => call.serve())
  const stop = new AbortController()
  const seen = ({ bytes }: { readonly bytes: number }): void => {
    if (bytes > SEGMENT_BYTES) stop.abort(new Error('asked'))
  }
  const limits = { connections: 1, tickMs: 0 }
  await expect(rig.pull({ signal: stop.signal, onProgress: seen, limits })).rejects.toThrow('asked')
  expect(existsSync(rig.destination)).toBe(false)
  const before = rig.hub.requests.length
  const { resumedBytes } = await rig.pull({ limits })
  expect(resumedBytes).toBeGreaterThan(SEGMENT_BYTES)
  expect(rig.hub.requests.slice(before)[1]?.range).toMatch(`bytes=${resumedBytes}-`)
  expect(await rig.inPlace()).toBe(true)
})

test('a part that was damaged since is found by the checksum and fetched anew', async () => {
  await using rig = await pullRig((call) => {
    if (call.count === 3) call.response.destroy()
    else call.serve()
  })
  await expect(rig.pull({ limits: { connections: 1, retries: 0 } })).rejects.toThrow('broke')
  const file = await open(rig.part, 'r+')
  await file.write('damage', 1000)
  await file.close()
  expect(await rig.pull()).toMatchObject({ kind: 'downloaded' })
  expect(await rig.inPlace()).toBe(true)
  expect(rig.logged.join()).toContain('wrong checksum')
})

test('a part of another version of the file is not mixed with this one', async () => {
  const newer = makeModel()
  let now = { content: model, etag: '"v1"', fails: true }
  await using rig = await pullRig((call) => {
    if (now.fails && call.count === 3) call.response.destroy()
    else call.serve(now)
  })
  const options = { expected: [], limits: { connections: 1, retries: 0 } }
  await expect(rig.pull(options)).rejects.toThrow('broke')
  now = { content: newer, etag: '"v2"', fails: false }
  expect(await rig.pull(options)).toMatchObject({ checked: 'first-use', resumedBytes: 0 })
  expect(await rig.inPlace(newer)).toBe(true)
})

test('a note of nonsense beside a part is not believed', async () => {
  await using rig = await pullRig((call) => call.serve())
  await rig.pull()
  await writeFile(rig.part, 'x'.repeat(100))
  await writeFile(
    `${rig.part}.json`,
    JSON.stringify({ sizeBytes: 3_000_000, sha256: sha256Of(model), done: [[0, 9e9]] }),
  )
  await writeFile(rig.destination, 'lost')
  expect(await rig.pull()).toMatchObject({ kind: 'downloaded', resumedBytes: 0 })
  expect(await rig.inPlace()).toBe(true)
})

test('two pulls of one file: the second says who is at it, and the first is not disturbed', async () => {
  const arrived = new EventEmitter()
  let release = (): void => undefined
  await using rig = await pullRig((call) => {
    if (call.isLook) return call.serve()
    release = () => call.serve()
    arrived.emit('request')
  })
  const first = rig.pull({ limits: { connections: 1, segmentBytes: 3_000_000 } })
  await once(arrived, 'request')
  await expect(rig.pull()).rejects.toMatchObject({
    code: 'already-running',
    message: expect.stringContaining(`process ${process.pid} is downloading it already`),
  })
  release()
  expect(await first).toMatchObject({ kind: 'downloaded' })
  expect(await rig.inPlace()).toBe(true)
})

test('a lock that a dead process left is no hindrance', async () => {
  await using rig = await pullRig((call) => call.serve())
  await rig.pull()
  await writeFile(rig.destination, 'lost')
  await writeFile(`${rig.part}.lock`, JSON.stringify({ pid: 999_999_999, identity: 'x' }))
  await rig.pull()
  expect(await rig.inPlace()).toBe(true)
})

test('the published checksum of a hub is used where the catalog has none', async () => {
  const sha256 = sha256Of(model)
  await using rig = await pullRig((call) => {
    if (call.path !== '/model.gguf') return call.serve({ etag: `"node-${call.count}"` })
    call.response.writeHead(302, { location: '/cdn', 'x-linked-etag': `"${sha256}"` }).end()
  })
  // The file server gives another ETag each time: only the hub's checksum says that it is one file.
  expect(await rig.pull({ expected: [] })).toMatchObject({ checked: 'published', sha256 })
  expect((await readFile(rig.destination)).equals(model)).toBe(true)
  expect(expectedOf(model).sha256).toBe(sha256)
})
