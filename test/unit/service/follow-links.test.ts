import { symlink, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { followLinks } from '../../../src/service/follow-links.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

test('a link leads to the file, over another link, and to where a file is gone', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('model'), '')
  await symlink('model', dir.file('one'))
  await symlink(dir.file('one'), dir.file('two'))
  await symlink('/nowhere/Downloads/it.gguf', dir.file('gone'))
  await symlink('gone', dir.file('to-gone'))
  expect(await followLinks(dir.file('two'))).toBe(dir.file('model'))
  expect(await followLinks(dir.file('to-gone'))).toBe('/nowhere/Downloads/it.gguf')
  expect(await followLinks(dir.file('nothing'))).toBe(dir.file('nothing'))
})

test('links that lead in a circle end somewhere', async () => {
  await using dir = await tempDir()
  await symlink('b', dir.file('a'))
  await symlink('a', dir.file('b'))
  expect(await followLinks(dir.file('a'))).toMatch(/[ab]$/)
})
