/** `oss20bd plan` as a real child, without a daemon and without an engine. */
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { binFile } from '../helpers/cli.ts'
import { GPT_OSS_20B, writeHollowModel } from '../helpers/hollow-model.ts'
import { tempDir } from '../helpers/temp-dir.ts'

async function plan(home: string, args: readonly string[]) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [binFile, 'plan', ...args], {
    env: { OSS20BD_HOME: home, OSS20BD_CACHE: `${home}/cache` },
    reject: false,
  })
  return { exitCode, stdout, stderr }
}

test('plans for another machine and another file, for a person and for a program', async () => {
  await using dir = await tempDir()
  const model = dir.file('m.gguf')
  await writeHollowModel(model, GPT_OSS_20B, 'x')
  const asked = ['--model', model, '--memory', '24GiB', '--gpu', '16GiB']

  const text = await plan(dir.path, asked)
  expect(text).toMatchObject({ exitCode: 0, stderr: '' })
  expect(text.stdout).toContain('24.0 GiB asked for, less 4.0 GiB')
  expect(text.stdout).toMatch(/^\* {4}65536 {2}f16 /m)

  const { exitCode, stdout } = await plan(dir.path, [...asked, '--context', '131072', '--json'])
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    kind: 'planned',
    contextTokens: 131_072,
    chosen: { contextTokens: 131_072, need: { gpu: { cacheBytes: 3090 * 2 ** 20 } } },
    budget: { memory: { source: 'asked' }, gpu: { usableBytes: 15 * 2 ** 30 } },
  })
})

test('what does not fit is told with what does, and exits with 1', async () => {
  await using dir = await tempDir()
  const model = dir.file('m.gguf')
  await writeHollowModel(model, GPT_OSS_20B, 'x')
  const asked = ['--model', model, '--memory', '18GiB', '--gpu', 'none', '--context', '131072']
  const { exitCode, stdout } = await plan(dir.path, asked)
  expect(exitCode).toBe(1)
  expect(stdout).toContain('It does not fit. What does: model.contextTokens = 32768')
})

test('without a model it says how to get one', async () => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await plan(dir.path, [])
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/there is no such file[^]*oss20bd up/)
})

test.each([
  ['--memory', 'much', 'Cannot use --memory much: it must be a size with a unit'],
  ['--gpu', '16', 'Cannot use --gpu 16: it must be a size with a unit'],
  ['--context', '100', 'Cannot use --context 100: it must be a whole number from 512 to 131072'],
])('%s %s is refused with the reason', async (option, value, words) => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await plan(dir.path, [option, value])
  expect(exitCode).toBe(2)
  expect(stderr).toContain(words)
})
