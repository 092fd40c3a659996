/** The converter is taken out of a git bundle at the commit of the engine, as of the real one. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { converterIn, takeConverter } from '../../src/cli/convert/converter-source.ts'
import { type TempDir, tempDir } from '../helpers/temp-dir.ts'

/** A bundle of one commit, and that commit. */
async function bundleIn(dir: TempDir): Promise<string> {
  const git = (...args: readonly string[]) =>
    execa('git', ['-c', 'user.name=x', '-c', 'user.email=x@localhost', ...args], {
      cwd: dir.file('repo'),
    })
  await mkdir(dir.file('repo', 'requirements'), { recursive: true })
  await mkdir(dir.file('repo', 'gguf-py', 'gguf'), { recursive: true })
  await mkdir(dir.file('repo', 'src'))
  await mkdir(dir.file('sources'))
  await writeFile(dir.file('repo', 'convert_hf_to_gguf.py'), '# converter\n')
  await writeFile(dir.file('repo', 'requirements', 'requirements-convert_hf_to_gguf.txt'), 'x\n')
  await writeFile(dir.file('repo', 'gguf-py', 'gguf', '__init__.py'), '')
  await writeFile(dir.file('repo', 'src', 'llama.cpp'), '// not wanted\n')
  await git('init', '--quiet')
  await git('add', '.')
  await git('commit', '--quiet', '--message', 'squashed')
  await git('bundle', 'create', dir.file('sources', 'package-1.0.0.bundle'), 'HEAD')
  return (await git('rev-parse', 'HEAD')).stdout
}

function placesIn(dir: TempDir) {
  return { folder: dir.file('cache'), sources: dir.file('sources') }
}

const { signal } = new AbortController()

it('takes what the converter is made of, once', async () => {
  await using dir = await tempDir()
  const commit = await bundleIn(dir)
  const from = { version: '1', commit, source: 'npm:package@1.0.0' }
  const converter = await takeConverter(placesIn(dir), from, process.env, signal)
  expect((await readdir(converter.folder)).toSorted()).toEqual([
    'convert_hf_to_gguf.py',
    'gguf-py',
    'requirements',
  ])
  expect(await readFile(converter.script, 'utf8')).toBe('# converter\n')
  await rm(dir.file('sources'), { recursive: true })
  expect(await takeConverter(placesIn(dir), from, process.env, signal)).toEqual(converter)
})

it('takes it from a repository by its address', async () => {
  await using dir = await tempDir()
  const commit = await bundleIn(dir)
  const from = { version: '1', commit, source: `file://${dir.file('repo')}#main` }
  const converter = await takeConverter(placesIn(dir), from, process.env, signal)
  expect(await readFile(converter.requirements, 'utf8')).toBe('x\n')
})

it('takes nothing of another commit, and leaves nothing', async () => {
  await using dir = await tempDir()
  await bundleIn(dir)
  const from = { version: '1', commit: '0123'.repeat(10), source: 'npm:package@1.0.0' }
  await expect(takeConverter(placesIn(dir), from, process.env, signal)).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringContaining('sources of the engine (npm:package@1.0.0)'),
  })
  expect(await readdir(dir.file('cache'))).toEqual([])
  expect(converterIn(placesIn(dir), from).folder).toBe(
    dir.file('cache', 'converter-0123012301230123'),
  )
})

it('says so when the sources are gone, or hold no converter', async () => {
  await using dir = await tempDir()
  const from = { version: '1', commit: `tree-${'1'.repeat(40)}`, source: dir.file('gone') }
  await expect(takeConverter(placesIn(dir), from, process.env, signal)).rejects.toThrowError(
    /was built from .*gone, which is gone/,
  )
  await mkdir(dir.file('gone'))
  await expect(takeConverter(placesIn(dir), from, process.env, signal)).rejects.toThrowError(
    /gone holds no convert_hf_to_gguf\.py/,
  )
})
