import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import {
  assertExecutable,
  parseEngineVersion,
  readEngineVersion,
} from '../../../src/llama/engine-info.ts'
import { puppetFile } from '../../helpers/puppet.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

describe('the version of an engine', () => {
  it.each([
    [
      '0.00.002.228 I srv  llama_server: initializing ...\nversion: 0.5.0-dev (build 1, commit de3ff81)\nbuilt with GNU 12.2.0',
      { version: '0.5.0-dev', commit: 'de3ff81' },
    ],
    ['version: 8193 (ecd99d6a9)\nbuilt with AppleClang', { version: '8193', commit: 'ecd99d6a9' }],
    ['version: 1.2.3', { version: '1.2.3', commit: null }],
    ['usage: something else', null],
    ['', null],
  ])('is read from %j', (output, version) => {
    expect(parseEngineVersion(output)).toEqual(version)
  })

  it('is asked of the file itself, and is null when that cannot tell', async () => {
    await using dir = await tempDir()
    const mute = dir.file('mute')
    await writeFile(mute, '#!/bin/sh\nexit 3\n', { mode: 0o755 })
    expect(await readEngineVersion(puppetFile)).toEqual({
      version: '0.5.0-puppet',
      commit: 'de3ff81',
    })
    expect(await readEngineVersion(mute)).toBeNull()
    expect(await readEngineVersion(dir.file('nowhere'))).toBeNull()
  })
})

describe('an engine that cannot be started', () => {
  it('is refused with what is wrong and what to run', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('plain'), 'x')
    await chmod(dir.file('plain'), 0o644)
    await mkdir(dir.file('folder'))
    for (const [name, words] of [
      ['nowhere', 'does not exist'],
      ['plain/below', 'does not exist'],
      ['folder', 'is not a file'],
      ['plain', 'is not executable'],
    ] as const) {
      await expect(assertExecutable(dir.file(name))).rejects.toMatchObject({
        code: 'engine-missing',
        message: expect.stringContaining(words),
        hint: expect.stringContaining('oss20bd build'),
      })
    }
    await expect(assertExecutable(puppetFile)).resolves.toBeUndefined()
  })
})
