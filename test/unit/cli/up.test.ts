import { mkdir, readlink, symlink, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { buildEngine } from '../../../src/cli/build-engine.ts'
import type { Context } from '../../../src/cli/command.ts'
import { readSettled } from '../../../src/cli/settings.ts'
import { prepareEngine } from '../../../src/cli/up-engine.ts'
import { prepareModel } from '../../../src/cli/up-model.ts'
import { resolvePaths } from '../../../src/config/paths.ts'
import { writeTestModel } from '../../../src/model/test-model.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

const silent = { update: () => undefined, done: () => undefined, fail: () => undefined }
const nowhere = { write: () => true }

/** A home with one engine whose template is `template`. */
async function makeHome(dir: TempDir, flags: Record<string, string> = {}) {
  const env = { OSS20BD_HOME: dir.path, OSS20BD_CACHE: dir.file('cache') }
  const paths = resolvePaths(process.platform, dir.path, env)
  const context: Context = {
    json: false,
    configFile: null,
    flags,
    env,
    paths,
    root: dir.file('root'),
    stdout: nowhere,
    stderr: nowhere,
  }
  await mkdir(paths.models)
  const serverFile = await makeEngine(dir, 'e1')
  await symlink('e1', dir.file('engines', 'current'))
  const { config } = await readSettled(context)
  return { context, config, serverFile, link: dir.file('models', 'current') }
}

async function makeEngine(dir: TempDir, name: string, template = 'one'): Promise<string> {
  const folder = (...parts: string[]): string => dir.file('engines', name, ...parts)
  await mkdir(folder('bin'), { recursive: true })
  await mkdir(folder('templates'), { recursive: true })
  await writeFile(folder('bin', 'llama-server'), '', { mode: 0o755 })
  await writeFile(folder('templates', 'openai-gpt-oss-120b.jinja'), template)
  return folder('bin', 'llama-server')
}

/** Stands in for scripts/build-llama.sh. */
async function makeScript(dir: TempDir, body: string): Promise<void> {
  await mkdir(dir.file('root', 'scripts'), { recursive: true })
  await writeFile(dir.file('root', 'scripts', 'build-llama.sh'), body)
}

test('the test model is written, chosen, and kept as it is the next time', async () => {
  await using dir = await tempDir()
  const { context, config, serverFile, link } = await makeHome(dir)
  const first = await prepareModel(context, config, serverFile, 'test', silent)
  expect(first).toMatchObject({ testModel: true, rewritten: false, reason: null })
  expect(await readlink(link)).toBe('test-model.gguf')
  const second = await prepareModel(context, config, serverFile, 'any', silent)
  expect(second).toEqual({ ...first, note: 'built-in test model, kept' })
})

test('the test model follows the template of the engine', async () => {
  await using dir = await tempDir()
  const { context, config, serverFile } = await makeHome(dir)
  await prepareModel(context, config, serverFile, 'test', silent)
  const other = await makeEngine(dir, 'e2', 'two')
  expect(await prepareModel(context, config, other, 'any', silent)).toMatchObject({
    rewritten: true,
  })
})

test('a model of the configuration is used and nothing is chosen', async () => {
  await using dir = await tempDir()
  const own = dir.file('own.gguf')
  const { context, config, serverFile, link } = await makeHome(dir, { 'model.path': own })
  await writeTestModel(own, { template: 'own' })
  expect(await prepareModel(context, config, serverFile, 'any', silent)).toMatchObject({
    file: own,
  })
  await expect(readlink(link)).rejects.toThrow('ENOENT')
})

test('a model of the configuration that cannot be loaded is an error, not replaced', async () => {
  await using dir = await tempDir()
  const own = dir.file('own.gguf')
  const { context, config, serverFile } = await makeHome(dir, { 'model.path': own })
  await expect(prepareModel(context, config, serverFile, 'any', silent)).rejects.toMatchObject({
    code: 'model-unusable',
  })
})

test('the build script is shown and its last line names the engine', async () => {
  await using dir = await tempDir()
  const { context } = await makeHome(dir)
  await makeScript(
    dir,
    'echo "progress 40 Compiling $*"; echo noise; echo "progress 100 installed"; echo "engine /e/x y"',
  )
  const shown: unknown[] = []
  const built = await buildEngine(
    context,
    { git: '', jobs: 3 },
    { update: (...now) => shown.push(now) },
  )
  expect(built).toEqual({ folder: '/e/x y', note: 'installed' })
  expect(shown).toEqual([
    [0.4, `Compiling --progress --prefix ${dir.file('engines')} --git --jobs 3`],
    [1, 'installed'],
  ])
})

test.each([
  [1, 'build-failed', 'Cannot compile llama.cpp: errors', '| cc1\n  Full log: /x.log'],
  [1, 'tool-missing', 'Cannot build llama-server: missing cmake', 'brew install cmake'],
  [2, 'usage', 'Cannot read --git: no', 'See --help'],
])(
  'a build that ends with %i is told as %s in the words of the script',
  async (status, code, first, rest) => {
    await using dir = await tempDir()
    const { context } = await makeHome(dir)
    await makeScript(dir, `cat >&2 <<'X'\n${first}\n  ${rest}\nX\nexit ${status}`)
    await expect(buildEngine(context, {}, silent)).rejects.toMatchObject({
      code,
      message: first,
      hint: rest,
    })
  },
)

test('an engine that somebody built from other sources is kept', async () => {
  await using dir = await tempDir()
  const { context, config, serverFile } = await makeHome(dir)
  await makeScript(dir, 'exit 1')
  await writeFile(dir.file('engines', 'e1', 'manifest.json'), '{"source":"/src/llama.cpp"}')
  expect(await prepareEngine(context, config, silent)).toEqual({
    serverFile,
    note: 'yours, built from /src/llama.cpp',
  })
})

test.each(['{"source":"npm:bundle"}', '{}', 'broken'])(
  'with the manifest %s the script decides',
  async (manifest) => {
    await using dir = await tempDir()
    const { context, config, serverFile } = await makeHome(dir)
    await makeScript(dir, 'echo "progress 100 already installed"; echo "engine x"')
    await writeFile(dir.file('engines', 'e1', 'manifest.json'), manifest)
    const engine = await prepareEngine(context, config, silent)
    expect(engine).toEqual({ serverFile, note: 'already installed' })
  },
)

test('an engine of the configuration must be a program', async () => {
  await using dir = await tempDir()
  const { context, config } = await makeHome(dir, { 'engine.path': dir.file('nothing') })
  await expect(prepareEngine(context, config, silent)).rejects.toMatchObject({
    code: 'engine-missing',
  })
})
