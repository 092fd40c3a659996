import { mkdir, stat, writeFile } from 'node:fs/promises'
import { expect, it, test } from 'vitest'
import { assertSocketPathsFit, ensureFolders } from '../../../src/config/ensure-folders.ts'
import { messageOf } from '../../../src/errors.ts'
import { resolvePaths } from '../../../src/config/paths.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

function messageOfThrown(run: () => void): string | null {
  try {
    run()
    return null
  } catch (error) {
    return messageOf(error)
  }
}

it('makes every folder, and the one of the sockets for this user only', async () => {
  await using dir = await tempDir()
  const paths = resolvePaths('linux', dir.path, { OSS20BD_HOME: dir.file('home') })
  await mkdir(paths.run, { recursive: true, mode: 0o755 })
  await ensureFolders(paths)
  await ensureFolders(paths)
  expect((await stat(paths.run)).mode & 0o777).toBe(0o700)
  for (const folder of [paths.models, paths.engines, paths.logs]) {
    expect((await stat(folder)).isDirectory()).toBe(true)
  }
})

it('says that a file is in the way', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('home'), '')
  const paths = resolvePaths('linux', dir.path, { OSS20BD_HOME: dir.file('home') })
  await expect(ensureFolders(paths)).rejects.toMatchObject({
    code: 'state-folder',
    message: expect.stringContaining('Cannot use the state folder') as unknown,
    hint: expect.stringContaining(dir.file('home')) as unknown,
  })
})

test.each([
  ['darwin', 103, true],
  ['darwin', 104, false],
  ['linux', 107, true],
  ['linux', 108, false],
] as const)('on %s a socket path of %d bytes fits: %s', (platform, bytes, fits) => {
  const path = `/${'é'.repeat(20)}${'x'.repeat(bytes - 41)}`
  const check = (): void => {
    assertSocketPathsFit({ controlSocket: '/a', engineSocket: path }, platform)
  }
  expect(messageOfThrown(check)).toBe(
    fits
      ? null
      : `Cannot use the socket path ${path}: it has ${bytes} bytes, at most ${bytes - 1} are possible`,
  )
})
