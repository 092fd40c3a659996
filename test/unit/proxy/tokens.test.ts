import { rm, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { createTokenCheck, type TokenCheck, unauthorizedAnswer } from '../../../src/proxy/tokens.ts'
import { addToken, revokeToken } from '../../../src/token-files.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'
import { type TempDir, tempDir } from '../../helpers/temp-dir.ts'

function scene(dir: TempDir, openWithoutTokens = true) {
  const clock = new FakeClock()
  const log = new RecordingLogger()
  const folder = dir.file('tokens')
  const tokens = createTokenCheck({ folder, openWithoutTokens, clock, log })
  return {
    folder,
    log,
    tokens,
    add: (name: string) => addToken(folder, name, 0),
    secondLater: () => clock.standStill(1000),
  }
}

function kindOf(tokens: TokenCheck, ...headers: string[]): string {
  const verdict = tokens.check(headers)
  return verdict.kind === 'ok' ? verdict.name : verdict.kind
}

test('without tokens everybody is let in, or nobody where other machines reach the port', async () => {
  await using dir = await tempDir()
  expect(kindOf(scene(dir).tokens)).toBe('open')
  expect(scene(dir, false).tokens.check([])).toMatchObject({
    kind: 'refused',
    message: 'Cannot let this request in: this port needs a token, and there is none',
  })
})

test('a token is taken from any of the headers that clients send it in', async () => {
  await using dir = await tempDir()
  const { tokens, add } = scene(dir)
  const zed = await add('zed')
  const claude = await add('claude-code')
  expect(kindOf(tokens, 'Authorization', `Bearer ${zed}`)).toBe('zed')
  expect(kindOf(tokens, 'authorization', `bearer  ${zed} `)).toBe('zed')
  expect(kindOf(tokens, 'X-Api-Key', claude)).toBe('claude-code')
  expect(kindOf(tokens, 'Authorization', 'Bearer other', 'x-api-key', claude)).toBe('claude-code')
})

test('anything else is refused', async () => {
  await using dir = await tempDir()
  const { tokens, add } = scene(dir)
  const token = await add('zed')
  for (const value of [
    '',
    token,
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(0, -1)}`,
    `Bearer ${token.toUpperCase()}`,
    `Bearer ${token} ${token}`,
    `Bearer ${'x'.repeat(10_000)}`,
  ]) {
    expect(kindOf(tokens, 'Authorization', value)).toBe('refused')
  }
  expect(kindOf(tokens)).toBe('refused')
  expect(kindOf(tokens, 'X-Api-Key', 'x'.repeat(64))).toBe('refused')
  const many = Array.from({ length: 50 }, () => ['X-Api-Key', 'wrong']).flat()
  expect(kindOf(tokens, ...many, 'X-Api-Key', token)).toBe('refused')
})

test('a token that is added or revoked counts within a second', async () => {
  await using dir = await tempDir()
  const { tokens, folder, add, secondLater } = scene(dir)
  expect(kindOf(tokens)).toBe('open')
  const token = await add('zed')
  secondLater()
  expect(kindOf(tokens)).toBe('refused')
  expect(kindOf(tokens, 'X-Api-Key', token)).toBe('zed')
  const other = await add('other')
  await revokeToken(folder, 'zed')
  secondLater()
  expect(kindOf(tokens, 'X-Api-Key', token)).toBe('refused')
  expect(kindOf(tokens, 'X-Api-Key', other)).toBe('other')
})

test('tokens that cannot be read let nobody in, which is told once, and again when it is over', async () => {
  await using dir = await tempDir()
  const { tokens, add, secondLater, log } = scene(dir)
  const token = await add('zed')
  expect(kindOf(tokens, 'X-Api-Key', token)).toBe('zed')
  await writeFile(dir.file('tokens', 'bad.json'), token)
  for (let second = 0; second < 3; second += 1) {
    secondLater()
    expect(tokens.check(['X-Api-Key', token])).toMatchObject({
      kind: 'refused',
      hint: 'See which: oss20bd token list',
    })
  }
  expect(log.messages()).toEqual(['tokens unreadable: every request is refused'])
  await rm(dir.file('tokens', 'bad.json'))
  secondLater()
  expect(kindOf(tokens, 'X-Api-Key', token)).toBe('zed')
  expect(log.messages('info')).toEqual(['tokens readable again'])
  expect(log.text()).not.toContain(token)
})

describe('a refusal has the shape of its API', () => {
  const refusal = { message: 'Cannot let this request in: no', hint: 'Do this' }

  test('of OpenAI', () => {
    const { status, headers, body } = unauthorizedAnswer('chat', refusal)
    expect(status).toBe(401)
    expect(headers).toMatchObject({ 'WWW-Authenticate': 'Bearer realm="oss20bd"' })
    expect(JSON.parse(body)).toEqual({
      error: {
        message: 'Cannot let this request in: no (Do this)',
        type: 'authentication_error',
        code: 'invalid_api_key',
        src: 'oss20bd',
      },
    })
  })

  test('of Anthropic', () => {
    expect(JSON.parse(unauthorizedAnswer('messages', refusal).body)).toMatchObject({
      type: 'error',
      error: { type: 'authentication_error' },
    })
  })
})
