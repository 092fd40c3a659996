/** Tokens at the port: who is let in, what the others are told, and what of it the engine sees. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createRequestLog, type RequestLog } from '../../../src/proxy/accounting/request-log.ts'
import { createTokenCheck } from '../../../src/proxy/tokens.ts'
import { addToken, revokeToken } from '../../../src/token-files.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'
import { type Rig, startRig } from '../../helpers/proxy-rig.ts'
import { tempDir } from '../../helpers/temp-dir.ts'
import {
  postText,
  type RawAnswer,
  rawAnswer,
  requestText,
  startStrictEngine,
  type StrictEngine,
} from './raw.ts'

interface Scene extends AsyncDisposable {
  readonly rig: Rig
  readonly engine: StrictEngine
  readonly requests: RequestLog
  readonly folder: string
  /** Of the tokens. */
  readonly clock: FakeClock
  add(name: string): Promise<string>
}

async function startScene(openWithoutTokens = true): Promise<Scene> {
  const dir = await tempDir()
  const folder = dir.file('tokens')
  const clock = new FakeClock()
  const requests = createRequestLog({ clock: systemClock })
  const tokens = createTokenCheck({ folder, openWithoutTokens, clock, log: new RecordingLogger() })
  const rig = await startRig(undefined, {
    tokens,
    requests,
    allowedOrigins: ['https://chat.example'],
  })
  const engine = await startStrictEngine(rig)
  return {
    rig,
    engine,
    requests,
    folder,
    clock,
    add: (name) => addToken(folder, name, clock.nowMs()),
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

const askWith = ({ rig }: Scene, ...headers: string[]): Promise<RawAnswer | null> =>
  rawAnswer(rig, postText('/v1/chat/completions', '{}', headers))

describe('who is let in', () => {
  test('everybody while there are no tokens, nobody where other machines reach the port', async () => {
    await using open = await startScene()
    expect((await askWith(open))?.status).toBe(200)
    expect((await askWith(open, 'Authorization: Bearer anything'))?.status).toBe(200)
    await using shut = await startScene(false)
    expect((await askWith(shut))?.status).toBe(401)
    expect(shut.engine.seen).toEqual([])
  })

  test('a token in either header, or in both, and its name is the client; no other spelling of it', async () => {
    await using scene = await startScene()
    const token = await scene.add('open-webui')
    for (const headers of [
      [`Authorization: Bearer ${token}`],
      [`authorization: bearer  ${token} `],
      [`X-Api-Key: ${token}`],
      [`Authorization: Bearer old`, `X-Api-Key: ${token}`],
    ]) {
      expect((await askWith(scene, ...headers))?.status).toBe(200)
    }
    expect(new Set(scene.requests.recent(10).map(({ client }) => client))).toEqual(
      new Set(['open-webui']),
    )
    for (const headers of [
      [],
      [`Authorization: ${token}`],
      [`Authorization: Basic ${Buffer.from(`x:${token}`).toString('base64')}`],
      [`Authorization: Bearer ${token}x`],
      [`Authorization: Bearer ${token.slice(0, -1)}`],
      [`Authorization: Bearer ${token.toUpperCase()}`],
      [`Authorization: Bearer x ${token}`],
      ['Authorization: Bearer '],
      [`Cookie: token=${token}`],
      [`Api-Key: ${token}`],
      [`Proxy-Authorization: Bearer ${token}`],
      [`X-Api-Key: ${'a'.repeat(10_000)}`],
      [...Array.from({ length: 10 }, () => 'X-Api-Key: wrong'), `X-Api-Key: ${token}`],
    ]) {
      const answer = await askWith(scene, ...headers)
      expect([headers[0]?.slice(0, 20), answer?.status]).toEqual([headers[0]?.slice(0, 20), 401])
    }
    const inQuery = await rawAnswer(scene.rig, postText(`/v1/completions?api_key=${token}`))
    expect(inQuery?.status).toBe(401)
    expect(scene.engine.seen).toHaveLength(4)
  })

  test('what is ours needs one as well, but for whether the port is there and what browsers ask first', async () => {
    await using scene = await startScene()
    await scene.add('app')
    const statusOf = async (line: string): Promise<number | undefined> =>
      (await rawAnswer(scene.rig, requestText(line), line.split(' ')[0]))?.status
    for (const line of [
      'GET /v1/models',
      'GET /v1/models/x',
      'GET /metrics',
      'GET /oss20bd/x',
      'POST /props',
      'HEAD /x',
    ]) {
      expect([line, await statusOf(line)]).toEqual([line, 401])
    }
    expect(await statusOf('GET /health')).toBe(200)
    expect(await statusOf('OPTIONS /v1/chat/completions')).toBe(204)
    expect(scene.engine.seen).toEqual([])
  })

  test('a revoked one is out within a second, and a new one in', async () => {
    await using scene = await startScene()
    const [kept, gone] = [await scene.add('kept'), await scene.add('gone')]
    const statusOf = async (token: string): Promise<number | undefined> =>
      (await askWith(scene, `X-Api-Key: ${token}`))?.status
    expect([await statusOf(kept), await statusOf(gone)]).toEqual([200, 200])
    await revokeToken(scene.folder, 'gone')
    const added = await scene.add('added')
    await scene.clock.advance(1000)
    expect([await statusOf(kept), await statusOf(gone), await statusOf(added)]).toEqual([
      200, 401, 200,
    ])
  })

  test('nobody while the tokens cannot be read', async () => {
    await using scene = await startScene()
    const token = await scene.add('app')
    await writeFile(`${scene.folder}/odd.json`, '{')
    expect((await askWith(scene, `X-Api-Key: ${token}`))?.status).toBe(401)
    expect(scene.engine.seen).toEqual([])
  })
})

describe('who is not let in', () => {
  test.each([
    ['/v1/chat/completions', undefined],
    ['/v1/responses', undefined],
    ['/v1/%6dessages', 'error'],
    ['/v1/messages', 'error'],
  ])('%s is told why, in the shape of its API', async (path, type) => {
    await using scene = await startScene()
    await scene.add('app')
    const answer = await rawAnswer(scene.rig, postText(path, '{}', ['Authorization: Bearer no']))
    expect(answer?.status).toBe(401)
    expect(answer?.headers.get('www-authenticate')).toMatch(/^Bearer/)
    const body: { type?: unknown; error: object } = JSON.parse(answer?.body ?? '')
    expect(body.type).toBe(type)
    expect(body.error).toMatchObject({
      type: 'authentication_error',
      code: 'invalid_api_key',
      src: 'oss20bd',
    })
    expect(answer?.body).toContain('oss20bd token add')
  })

  test('a page of an allowed origin can read the reason; its body is not read for long', async () => {
    await using scene = await startScene()
    await scene.add('app')
    const answer = await rawAnswer(
      scene.rig,
      requestText('POST /v1/chat/completions', [
        'Origin: https://chat.example',
        'Content-Length: 900000000',
      ]),
    )
    expect([answer?.status, answer?.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://chat.example',
    ])
    expect(scene.engine.seen).toEqual([])
  })
})

test('no token, right or wrong, is seen by the engine or in a log or a record', async () => {
  await using scene = await startScene()
  const token = await scene.add('app')
  const wrong = `wrong-${randomBytes(16).toString('hex')}`
  const both = [`Authorization: Bearer ${token}`, `X-Api-Key: ${wrong}`, `Api-Key: ${token}`]
  expect((await askWith(scene, ...both))?.status).toBe(200)
  expect((await askWith(scene, `X-Api-Key: ${wrong}`))?.status).toBe(401)
  const seen = JSON.stringify(scene.engine.seen.map(({ headers }) => [...headers]))
  const kept = seen + scene.rig.log.text() + JSON.stringify(scene.requests.recent(10))
  expect(kept).not.toContain(token)
  expect(kept).not.toContain(wrong)
  expect(scene.engine.faults).toEqual([])
})
