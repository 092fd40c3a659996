import { access, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { copyProgram, programName } from '../../../src/service/copy-program.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

function manifest(version: string, dependencies: readonly string[], files: readonly string[] = []) {
  const any = Object.fromEntries(dependencies.map((name) => [name, '*']))
  return JSON.stringify({
    version,
    files,
    dependencies: any,
    optionalDependencies: { absent: '*' },
  })
}

/** A package as npm installs one: libraries beside it, below it and below each other. */
async function putPackage(dir: TempDir): Promise<string> {
  const root = dir.file('project', 'node_modules', 'oss20bd')
  await put(
    `${root}/package.json`,
    manifest('1.2.3', ['near', '@far/lib'], ['bin', 'dist', 'nothing']),
  )
  await put(`${root}/bin/oss20bd`, '#!/bin/sh\n')
  await put(`${root}/dist/main.js`, 'one')
  await put(`${root}/test/left-out.js`, '')
  await put(`${root}/node_modules/near/package.json`, manifest('2.0.0', ['deep']))
  await put(`${root}/node_modules/near/index.js`, 'near')
  await put(`${root}/node_modules/near/index.d.ts`, 'types')
  await put(`${root}/node_modules/near/node_modules/deep/package.json`, manifest('3.0.0', []))
  await put(`${root}/node_modules/unused/package.json`, manifest('1.0.0', []))
  await put(
    dir.file('project', 'node_modules', '@far', 'lib', 'package.json'),
    manifest('4.0.0', []),
  )
  return root
}

function copy(from: string, to: string): Promise<void> {
  return copyProgram({ kind: 'copy-program', from, to, owner: null })
}

test('the copy holds what runs, each library where Node will look for it, and nothing else', async () => {
  await using dir = await tempDir()
  const root = await putPackage(dir)
  await mkdir(dir.file('to'))
  await copy(root, dir.file('to', 'copy'))
  const entries = await readdir(dir.file('to', 'copy'), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  expect(
    files
      .map(({ parentPath, name }) =>
        `${parentPath}/${name}`.slice(dir.file('to', 'copy').length + 1),
      )
      .toSorted(),
  ).toEqual([
    'bin/oss20bd',
    'dist/main.js',
    'node_modules/@far/lib/package.json',
    'node_modules/near/index.js',
    'node_modules/near/node_modules/deep/package.json',
    'node_modules/near/package.json',
    'package.json',
  ])
  expect(await readdir(dir.file('to'))).toEqual(['copy'])
})

test('a copy that is there is whole, and left as it is', async () => {
  await using dir = await tempDir()
  const root = await putPackage(dir)
  await put(dir.file('to', 'copy', 'mine'), '')
  await copy(root, dir.file('to', 'copy'))
  expect(await readdir(dir.file('to', 'copy'))).toEqual(['mine'])
})

test('a copy that fails leaves nothing, and says where', async () => {
  await using dir = await tempDir()
  const root = await putPackage(dir)
  await put(dir.file('to'), 'a file where the folder should be')
  await expect(copy(root, dir.file('to', 'copy'))).rejects.toMatchObject({
    code: 'state-folder',
    message: expect.stringContaining('Cannot copy the program'),
  })
  await expect(access(dir.file('to', 'copy'))).rejects.toThrow('ENOTDIR')
})

test('the name changes with the program and with its libraries, and with nothing else', async () => {
  await using dir = await tempDir()
  const root = await putPackage(dir)
  const first = await programName(root)
  expect(first).toMatch(/^1\.2\.3-[\da-f]{12}$/)
  await put(`${root}/test/left-out.js`, 'changed')
  expect(await programName(root)).toBe(first)
  await put(`${root}/dist/main.js`, 'two')
  const second = await programName(root)
  expect(second).not.toBe(first)
  await put(`${root}/node_modules/near/package.json`, manifest('2.0.1', ['deep']))
  expect(await programName(root)).not.toBe(second)
})

test('a folder that is a link, as developers make them, is copied all the same', async () => {
  await using dir = await tempDir()
  const root = await putPackage(dir)
  await symlink(root, dir.file('link'))
  await copy(dir.file('link'), dir.file('copy'))
  expect(await readFile(dir.file('copy', 'dist', 'main.js'), 'utf8')).toBe('one')
})
