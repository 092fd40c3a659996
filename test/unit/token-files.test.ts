import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { addToken, digestOf, readTokens, revokeToken } from '../../src/token-files.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const NOW_MS = Date.UTC(2026, 0, 2)

test('a token is added once, kept only as its digest, and revoked', async () => {
  await using dir = await tempDir()
  const folder = dir.file('tokens')
  expect(readTokens(folder)).toEqual([])
  const token = await addToken(folder, 'Open-WebUI', NOW_MS)
  expect(token).toMatch(/^o20-[\w-]{43}$/)
  expect(readTokens(folder)).toEqual([
    { name: 'Open-WebUI', digest: digestOf(token), createdAt: '2026-01-02T00:00:00.000Z' },
  ])
  expect(await readdir(folder)).toEqual(['open-webui.json'])
  expect(await readFile(dir.file('tokens', 'open-webui.json'), 'utf8')).not.toContain(token)
  await revokeToken(folder, 'open-webui')
  expect(readTokens(folder)).toEqual([])
})

test('only the owner can read them', async () => {
  await using dir = await tempDir()
  await addToken(dir.file('tokens'), 'zed', NOW_MS)
  const modes = await Promise.all(
    [dir.file('tokens'), dir.file('tokens', 'zed.json')].map(
      async (path) => (await stat(path)).mode,
    ),
  )
  expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o600])
})

test('a name that is taken, in any case, is refused and the token that has it stays', async () => {
  await using dir = await tempDir()
  const folder = dir.file('tokens')
  const token = await addToken(folder, 'zed', NOW_MS)
  await expect(addToken(folder, 'ZED', NOW_MS)).rejects.toMatchObject({
    code: 'usage',
    hint: 'Take another name, or first: oss20bd token revoke ZED',
  })
  expect(readTokens(folder)).toMatchObject([{ name: 'zed', digest: digestOf(token) }])
  expect(await readdir(folder)).toEqual(['zed.json'])
})

test('of many that add at once each name is got by one, and none is lost', async () => {
  await using dir = await tempDir()
  const folder = dir.file('tokens')
  const names = Array.from({ length: 40 }, (_, index) => `app${index % 20}`)
  const results = await Promise.allSettled(names.map((name) => addToken(folder, name, NOW_MS)))
  const digests = results
    .filter((result) => result.status === 'fulfilled')
    .map(({ value }) => digestOf(value).toString('hex'))
  expect(digests).toHaveLength(20)
  const kept = readTokens(folder).map(({ digest }) => digest.toString('hex'))
  expect(kept.toSorted()).toEqual(digests.toSorted())
})

test('what was never there cannot be revoked', async () => {
  await using dir = await tempDir()
  await expect(revokeToken(dir.file('tokens'), 'zed')).rejects.toMatchObject({ code: 'usage' })
})

test.each(['', '.', '..', '../up', 'a/b', '-x', 'a b', 'é', 'x'.repeat(41), 'a\n'])(
  'the name %j is refused before anything is touched',
  async (name) => {
    await using dir = await tempDir()
    const folder = dir.file('tokens')
    await expect(addToken(folder, name, NOW_MS)).rejects.toMatchObject({ code: 'usage' })
    await expect(revokeToken(folder, name)).rejects.toMatchObject({ code: 'usage' })
    expect(await readdir(dir.path)).toEqual([])
  },
)

describe('what cannot be read as a token is an error, and its text is not told', () => {
  test.each([
    '',
    'o20-secret',
    '[]',
    '{"name":"bad"}',
    '{"name":"bad","sha256":"o20-secret","createdAt":"2026-01-01T00:00:00Z"}',
    `{"name":"other","sha256":"${'a'.repeat(64)}","createdAt":"2026-01-01T00:00:00Z"}`,
    `{"name":"bad","sha256":"${'a'.repeat(64)}","createdAt":"someday"}`,
  ])('%j', async (text) => {
    await using dir = await tempDir()
    const folder = dir.file('tokens')
    await addToken(folder, 'good', NOW_MS)
    await writeFile(dir.file('tokens', 'bad.json'), text)
    const read = (): unknown => readTokens(folder)
    expect(read).toThrow(/^Cannot read the token in .*bad\.json: it is none that oss20bd wrote$/)
    await revokeToken(folder, 'bad')
    expect(readTokens(folder)).toHaveLength(1)
  })

  test('a file in place of the folder', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('tokens'), '')
    expect(() => readTokens(dir.file('tokens'))).toThrow('Cannot read the tokens')
    await expect(addToken(dir.file('tokens'), 'zed', NOW_MS)).rejects.toThrow('Cannot keep')
  })
})

test('files of others and half-written ones are none of ours', async () => {
  await using dir = await tempDir()
  await mkdir(dir.file('tokens'))
  await chmod(dir.file('tokens'), 0o700)
  await writeFile(dir.file('tokens', '.DS_Store'), 'x')
  await writeFile(dir.file('tokens', 'zed.json.0102.new'), '{')
  expect(readTokens(dir.file('tokens'))).toEqual([])
})
