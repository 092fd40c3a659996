/**
 * `quantize` and `convert` with the real llama-quantize and engine. Python with its gigabytes of packages and
 * upstream's converter are played by a stand-in; `npm run convert-proof` runs the real ones.
 */
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { TINY_ANSWER, writeTinyModel } from '../fixtures/tiny-hf-model.mjs'
import { binFile } from '../helpers/cli.ts'
import { type TempDir, tempDir } from '../helpers/temp-dir.ts'
import { startEngine, testEngineFolder } from '../helpers/test-engine.ts'
import { tinyGguf } from '../helpers/tiny-gguf.ts'

const KNOWN = 'TEXT_MODEL_MAP: dict[str, str] = {\n    "LlamaForCausalLM": "llama",\n}\n'

const standIn = fileURLToPath(new URL('../stand-ins/python.mjs', import.meta.url))

let wideModel: Buffer
beforeAll(() => {
  wideModel = tinyGguf()
})

/** A home whose engine is the built one, by its manifest built from a folder of sources, and a Python that is the stand-in. */
async function homeIn(dir: TempDir, requirements = 'torch\n'): Promise<NodeJS.ProcessEnv> {
  const source = dir.file('source')
  await mkdir(dir.file('source', 'requirements'), { recursive: true })
  await mkdir(dir.file('source', 'conversion'))
  await mkdir(dir.file('source', 'docs'))
  await writeFile(dir.file('source', 'convert_hf_to_gguf.py'), '')
  await writeFile(dir.file('source', 'conversion', '__init__.py'), KNOWN)
  const file = 'requirements-convert_hf_to_gguf.txt'
  await writeFile(dir.file('source', 'requirements', file), requirements)
  const engine = dir.file('home', 'engines', 'current')
  await mkdir(engine, { recursive: true })
  await symlink(`${testEngineFolder()}/bin`, `${engine}/bin`)
  const manifest = { version: '0.5.0', commit: `tree-${'ab12'.repeat(10)}`, source }
  await writeFile(`${engine}/manifest.json`, JSON.stringify(manifest))
  const python = dir.file('bin', 'python3.13')
  await mkdir(dir.file('bin'))
  const start = `SELF="$0" exec "${process.execPath}" "${standIn}" "$@"`
  await writeFile(python, `#!/bin/sh\n${start}\n`)
  await chmod(python, 0o755)
  return {
    PATH: `${dir.file('bin')}:${process.env['PATH'] ?? ''}`,
    HOME: dir.path,
    OSS20BD_HOME: dir.file('home'),
    OSS20BD_CACHE: dir.file('cache'),
  }
}

async function run(env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const options = { env, extendEnv: false, reject: false } as const
  const { exitCode, stdout, stderr } = await execa(process.execPath, [binFile, ...args], options)
  return { exitCode, stdout, stderr }
}

async function answerOf(model: string): Promise<unknown> {
  const engine = await startEngine(model)
  const messages = [{ role: 'user', content: 'Who are you?' }]
  const { body } = await engine.post('/v1/chat/completions', { messages, max_tokens: 30 })
  await engine.stop()
  return body
}

const answered = { choices: [{ finish_reason: 'stop', message: { content: TINY_ANSWER } }] }

describe('quantize', () => {
  it.each([
    ['q4', 'Q4_K_M', 4.9],
    ['q8', 'Q8_0', 8.5],
  ])('makes a model of %s that answers', async (type, name, bits) => {
    await using dir = await tempDir()
    const env = await homeIn(dir)
    await writeFile(dir.file('in.gguf'), wideModel)
    const args = ['quantize', dir.file('in.gguf'), dir.file('out.gguf'), type, '--json']
    const made = await run(env, ...args)
    expect(made).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('Takes up to') })
    const told: unknown = JSON.parse(made.stdout)
    expect(told).toMatchObject({ type: name, bitsPerWeight: expect.closeTo(bits, 0) })
    expect(await answerOf(dir.file('out.gguf'))).toMatchObject(answered)

    const again = await run(env, ...args)
    expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--force') })
    const twice = ['quantize', dir.file('out.gguf'), dir.file('twice.gguf'), 'q3']
    expect(await run(env, ...twice)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('it is quantized already'),
    })
  })
})

describe('convert', () => {
  it('makes a model of 8 and of 4 bits, and sets its Python up once', async () => {
    await using dir = await tempDir()
    const env = await homeIn(dir)
    await writeTinyModel(dir.file('hf'))
    await writeFile(dir.file('hf', 'auto.prepared'), wideModel)
    await writeFile(dir.file('wide.gguf'), wideModel)
    await run(env, 'quantize', dir.file('wide.gguf'), dir.file('eight.gguf'), 'q8')
    await symlink(dir.file('eight.gguf'), dir.file('hf', 'q8_0.prepared'))

    const eight = await run(env, 'convert', dir.file('hf'), dir.file('q8.gguf'))
    expect(eight).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Q8_0, 8.5 bits per weight'),
      stderr: expect.stringContaining('Setting up Python for the converter, once  done'),
    })
    const four = await run(env, 'convert', dir.file('hf'), dir.file('q4.gguf'), '--type', 'q4')
    expect(four).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Q4_K_M, 4.9 bits per weight'),
      stderr: expect.not.stringContaining('Setting up Python'),
    })
    expect(four.stderr).toContain('Converting hf  60 %')
    expect(four.stderr).toContain('Quantizing to Q4_K_M  done')
    expect(await answerOf(dir.file('q8.gguf'))).toMatchObject(answered)
    expect(await answerOf(dir.file('q4.gguf'))).toMatchObject(answered)
    const made = (await readdir(dir.path)).filter((name) => name.includes('.writing-'))
    expect(made).toEqual([])
  })

  it('keeps no environment whose packages could not be had', async () => {
    await using dir = await tempDir()
    const env = await homeIn(dir, 'no-such-package==1.0\n')
    await writeTinyModel(dir.file('hf'))
    const failed = await run(env, 'convert', dir.file('hf'), dir.file('q8.gguf'))
    expect(failed).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(
        'Cannot get the packages of the converter: No matching distribution found for no-such-package==1.0',
      ),
    })
    // The converter itself, which is whole.
    const kept = await readdir(dir.file('cache', 'convert'))
    expect(kept).toEqual([expect.stringMatching(/^converter-tree-/)])
    const converter = await readdir(dir.file('cache', 'convert', kept[0] ?? ''))
    expect(converter.toSorted()).toEqual(['conversion', 'convert_hf_to_gguf.py', 'requirements'])
  })

  it('does not know an architecture before it downloads anything for it', async () => {
    await using dir = await tempDir()
    const env = await homeIn(dir)
    await writeTinyModel(dir.file('hf'))
    await writeFile(dir.file('hf', 'config.json'), '{"architectures":["NewForCausalLM"]}')
    expect(await run(env, 'convert', dir.file('hf'), dir.file('q8.gguf'))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/does not know NewForCausalLM\n.*oss20bd build --git master/),
    })
  })
})
