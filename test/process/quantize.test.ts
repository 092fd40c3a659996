/** `oss20bd quantize` and `convert` as commands, with a llama-quantize that does only what the test says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { writeGguf } from '../../src/model/gguf-writer.ts'
import { binFile } from '../helpers/cli.ts'
import { type TempDir, tempDir } from '../helpers/temp-dir.ts'

/** Knows two types, and then writes half a file and says so; `end` is what it does after that. */
const standIn = (end: string): string => `#!/usr/bin/env node
const { writeFileSync } = require('node:fs')
const args = process.argv.slice(2)
if (args.includes('--help')) {
  console.log('  15  or  Q4_K_M  :  4.58G\\n   7  or  Q8_0    :  7.96G')
  process.exit(1)
}
if (args[0] === '--dry-run') {
  console.error('llama_model_quantize_impl: quant size  =     0.01 MiB (4.50 BPW)')
  process.exit(0)
}
writeFileSync(args.at(-2), 'GGUF half')
writeFileSync(process.env.TMPDIR + '/pid', String(process.pid))
console.error('[   1/   2] blk.0.a.weight - [ 32, 1, 1, 1], type = f32, size = 0.001 MiB')
${end}
`

interface Scene {
  readonly work: TempDir
  readonly env: NodeJS.ProcessEnv
}

async function sceneIn(dir: TempDir, end: string): Promise<Scene> {
  const bin = dir.file('home', 'engines', 'current', 'bin')
  await mkdir(bin, { recursive: true })
  await mkdir(dir.file('out'))
  const tool = dir.file('home', 'engines', 'current', 'bin', 'llama-quantize')
  await writeFile(tool, standIn(end))
  await chmod(tool, 0o755)
  const metadata = new Map([['general.architecture', { kind: 'string', value: 'llama' } as const]])
  const tensor = { name: 'w', shape: [32], type: 'F32', data: Buffer.alloc(128) } as const
  await writeFile(dir.file('in.gguf'), writeGguf(metadata, [tensor]))
  const env = {
    PATH: process.env['PATH'],
    HOME: dir.path,
    TMPDIR: dir.path,
    OSS20BD_HOME: dir.file('home'),
    OSS20BD_CACHE: dir.file('cache'),
  }
  return { work: dir, env }
}

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly said: string
}

/** `onLine` may end it. */
async function run(
  { env }: Scene,
  args: readonly string[],
  onLine: (line: string, child: { kill(signal: NodeJS.Signals): boolean }) => void = () =>
    undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [binFile, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    onLine(line, child)
  })
  child.stdout.resume()
  const [code, signal]: unknown[] = await once(child, 'close')
  return {
    code: typeof code === 'number' ? code : null,
    signal: typeof signal === 'string' ? signal : null,
    said: lines.join('\n'),
  }
}

it('leaves nothing and nobody behind when it is stopped', async () => {
  await using dir = await tempDir()
  const scene = await sceneIn(dir, 'setInterval(() => undefined, 1000)')
  const args = ['quantize', dir.file('in.gguf'), dir.file('out', 'm'), 'q4']
  const ended = await run(scene, args, (line, child) => {
    if (line.includes('50 %')) child.kill('SIGINT')
  })
  expect(ended.signal).toBe('SIGINT')
  expect(ended.said).toContain('Stopped: nothing was written')
  expect(await readdir(dir.file('out'))).toEqual([])
  const pid = Number(await readFile(dir.file('pid'), 'utf8'))
  expect(() => process.kill(pid, 0)).toThrowError('ESRCH')
})

it('gives the reason of the tool, and leaves nothing of its file', async () => {
  await using dir = await tempDir()
  const reason = 'llama_model_quantize: failed to quantize: quantized data validation failed'
  const scene = await sceneIn(dir, `console.error('${reason}'); process.exit(1)`)
  const ended = await run(scene, ['quantize', dir.file('in.gguf'), dir.file('out', 'm'), 'q4'])
  expect(ended.code).toBe(1)
  expect(ended.said).toContain('llama-quantize: quantized data validation failed')
  expect(await readdir(dir.file('out'))).toEqual([])
})

it('tells a full disk from a bad model', async () => {
  await using dir = await tempDir()
  const reason = 'llama_model_quantize: failed to quantize: basic_ios::clear: iostream error'
  const scene = await sceneIn(dir, `console.error('${reason}'); process.exit(1)`)
  const ended = await run(scene, ['quantize', dir.file('in.gguf'), dir.file('out', 'm'), 'q4'])
  expect(ended.code).toBe(1)
  expect(ended.said).toContain('Free some space on the disk of the new file')
})

it('refuses before anything is begun what it cannot do', async () => {
  await using dir = await tempDir()
  const scene = await sceneIn(dir, '')
  const [input, output] = [dir.file('in.gguf'), dir.file('out', 'm')]
  const wrong = await run(scene, ['quantize', input, output, 'q4_k_n'])
  expect(wrong).toMatchObject({ code: 2, said: expect.stringContaining('Did you mean Q4_K_M?') })
  const missing = await run(scene, ['quantize', input])
  expect(missing).toMatchObject({ code: 2, said: expect.stringContaining('IN, OUT and TYPE') })
  const noFolder = await run(scene, ['convert', dir.file('no'), output])
  expect(noFolder).toMatchObject({
    code: 2,
    said: expect.stringContaining('there is no such folder'),
  })
  expect(await readdir(dir.file('out'))).toEqual([])
})
