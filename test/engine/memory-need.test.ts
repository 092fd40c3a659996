/** The memory that oss20bd plans with, against what the engine itself says it would take. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { listDevices } from '../../src/llama/devices.ts'
import { type EngineKind, type MemoryNeed, memoryNeed } from '../../src/llama/memory-need.ts'
import { readLaunchSettings } from '../../src/llama/need/launch-settings.ts'
import { type ModelShape, shapeOf } from '../../src/llama/need/model-shape.ts'
import { readModelHeader } from '../../src/model/model-file.ts'
import { writeTestModel } from '../../src/model/test-model.ts'
import { freePort } from '../helpers/cli.ts'
import { GPT_OSS_20B, type GptOssShape, writeHollowModel } from '../helpers/hollow-model.ts'
import { testEngineFolder } from '../helpers/test-engine.ts'

const MIB = 2 ** 20
const ODD: GptOssShape = {
  layers: 7,
  width: 512,
  heads: 8,
  kvHeads: 2,
  headWidth: 64,
  experts: 8,
  expertsUsed: 3,
  expertWidth: 384,
  window: 256,
  vocabulary: 4096,
  merges: 1,
}
const binaries = join(testEngineFolder(), 'bin')
const folder = mkdtempSync(join(tmpdir(), 'oss20bd-need-'))
const files = {
  real: join(folder, 'real.gguf'),
  odd: join(folder, 'odd.gguf'),
  tiny: join(folder, 'tiny.gguf'),
}
type ModelName = keyof typeof files
const shapes = new Map<string, ModelShape>()

beforeAll(async () => {
  const template = readFileSync(
    join(testEngineFolder(), 'templates/openai-gpt-oss-120b.jinja'),
    'utf8',
  )
  // The engine reads the vocabulary at each of many starts, and merges change nothing of the memory asked for.
  await writeHollowModel(files.real, { ...GPT_OSS_20B, merges: 1 }, template)
  await writeHollowModel(files.odd, ODD, template)
  await writeTestModel(files.tiny, { template })
  for (const file of Object.values(files)) {
    const read = await readModelHeader(file)
    if (read.kind !== 'ok') throw new Error(read.message)
    const found = shapeOf(read.header)
    if (found.kind !== 'known') throw new Error(found.reason)
    shapes.set(file, found.shape)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Told {
  readonly weightMib: number
  readonly cacheMib: number
  readonly computeMib: number
}
interface Row {
  readonly name: string
  readonly model: number
  readonly context: number
  readonly compute: number
}

/** What the engine says before it loads anything, for the GPU and for the host; whole MiB. */
async function askServer(file: string, line: string): Promise<{ gpu: Told; host: Told }> {
  const socket = join(folder, 'engine.sock')
  rmSync(socket, { force: true })
  const fixed = '-fit on --no-ui --offline --log-jsonl -lv 4 --log-colors off'
  const args = ['-m', file, '--host', socket, ...line.split(' '), ...fixed.split(' ')]
  const child = spawn(join(binaries, 'llama-server'), args, {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise((resolve) => {
    child.once('close', resolve)
  })
  try {
    for await (const text of createInterface({ input: child.stdout })) {
      if (text.includes('"fit_memory_breakdown"')) return sides(JSON.parse(text).data.rows)
    }
    throw new Error(`the engine said nothing of its memory: ${line}`)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

async function knock(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}

function sides(rows: readonly Row[]): { gpu: Told; host: Told } {
  return {
    gpu: sum(rows.filter(({ name }) => name.startsWith('RPC'))),
    host: sum(rows.filter(({ name }) => !name.startsWith('RPC'))),
  }
}

function sum(rows: readonly Row[]): Told {
  const of = (key: 'model' | 'context' | 'compute'): number =>
    rows.reduce((total, row) => total + row[key], 0)
  return { weightMib: of('model'), cacheMib: of('context'), computeMib: of('compute') }
}

function needFor(file: string, line: string, backend: EngineKind['backend']): MemoryNeed {
  const settings = readLaunchSettings(line.split(' '))
  const need = memoryNeed(shapes.get(file)!, settings, { backend, age: 'current' })
  if (need === null) throw new Error('unknown type of cache')
  return need
}

/** What differs by more than it may; the engine cuts each of its numbers, and adds up as many as it has buffers. */
function differences(planned: MemoryNeed['gpu'], told: Told): readonly string[] {
  const apart: readonly (readonly [string, number, number, number])[] = [
    ['weights', planned.weightBytes, told.weightMib, 2],
    ['cache', planned.cacheBytes, told.cacheMib, 2],
    ['compute', planned.computeBytes, told.computeMib, Math.max(16, told.computeMib * 0.05)],
  ]
  return apart
    .filter(([, bytes, mib, allowed]) => Math.abs(bytes / MIB - mib) >= allowed)
    .map(([name, bytes, mib]) => `${name}: ${bytes / MIB} planned, ${mib} told`)
}

const fixed = '-ngl all -b 2048 --cache-ram 0'
const settings = [
  '-c 512 -np 1',
  '-c 5000 -np 1',
  '-c 8192 -np 1',
  '-c 32768 -np 1',
  '-c 65536 -np 1',
  '-c 131072 -np 1',
  '-c 1024 -np 1 -b 256',
  '-c 32768 -np 1 -ub 64',
  '-c 32768 -np 1 -ub 256',
  '-c 32768 -np 1 -ub 1024',
  '-c 131072 -np 1 -ub 2048 -b 4096',
  '-c 32768 -np 2',
  '-c 32768 -np 4 -kvu',
  '-c 131072 -np 3',
  '-c 131072 -np 8 -ub 1024',
  '-c 65536 -np 64 -kvu',
  '-c 32768 -np 1 --swa-full',
  '-c 32768 -np 4 --swa-full',
  '-c 32768 -np 1 -ctk q8_0 -ctv q8_0',
  '-c 131072 -np 2 -ctk q8_0 -ctv q8_0 -ub 256',
  '-c 32768 -np 1 -ctk q4_0 -ctv f16',
  '-c 16384 -np 1 -ctk bf16 -ctv q5_1',
  '-c 4096 -np 1 -fa off',
  '-c 32768 -np 4 -fa off',
]
const onDevice = [
  '-c 32768 -np 1',
  '-c 131072 -np 4 -ub 1024',
  '-c 32768 -np 4 -kvu -ctk q8_0 -ctv q8_0',
  '-c 32768 -np 1 -ncmoe 3',
  '-c 32768 -np 1 -cmoe',
  '-c 32768 -np 1 -ngl 5',
  '-c 32768 -np 1 -ngl 0',
  '-c 32768 -np 1 -fa off',
  '-c 32768 -np 1 -nkvo',
]
const models: readonly ModelName[] = ['real', 'odd', 'tiny']

describe('the need before a load is what llama-server finds', () => {
  it.each(models.flatMap((model) => settings.map((line) => [model, line] as const)))(
    'with the %s model and %s',
    async (model, line) => {
      const all = `${fixed} ${line}`
      const { host } = await askServer(files[model], all)
      expect(differences(needFor(files[model], all, 'cpu').host, host)).toEqual([])
    },
  )
})

// A device on the far side of a socket: it takes its part of the model as a GPU does.
describe('the parts of GPU and host are what llama-server finds', () => {
  let port = 0
  let remote: ReturnType<typeof spawn>
  beforeAll(async () => {
    port = await freePort()
    const args = ['-H', '127.0.0.1', '-p', String(port)]
    remote = spawn(join(binaries, 'ggml-rpc-server'), args, { stdio: 'ignore' })
    // To a pipe it says only at its end that it listens.
    await vi.waitFor(() => knock(port), { timeout: 60_000 })
  })
  afterAll(async () => {
    const ended = new Promise((resolve) => {
      remote.once('close', resolve)
    })
    remote.kill('SIGKILL')
    await ended
  })

  it.each(
    (['real', 'odd'] as const).flatMap((model) => onDevice.map((line) => [model, line] as const)),
  )('with the %s model and %s', async (model, line) => {
    const all = `${fixed} ${line}`
    const told = await askServer(files[model], `--rpc 127.0.0.1:${port} ${all}`)
    const need = needFor(files[model], all, 'discrete')
    expect(differences(need.gpu, told.gpu)).toEqual([])
    expect(differences(need.host, told.host)).toEqual([])
  })
})

describe('llama-fit-params', () => {
  it.each(['-c 8192 -np 1', '-c 131072 -np 1 -ub 256', '-c 32768 -np 1 -ctk q8_0 -ctv q8_0'])(
    'agrees on weights and cache with %s, and reserves logits of the whole batch in addition',
    async (line) => {
      const args = ['-m', files.real, ...line.split(' '), '-fa', 'on', '-fitp', 'on', '--offline']
      const { stdout } = await execa(join(binaries, 'llama-fit-params'), args, {
        env: { PATH: process.env['PATH'] },
        extendEnv: false,
      })
      const numbers = stdout.trim().split(/\s+/).slice(1).map(Number)
      const { host } = needFor(files.real, line, 'cpu')
      const logits = readLaunchSettings(line.split(' ')).microBatch * GPT_OSS_20B.vocabulary * 4
      expect(numbers[1]! - Math.floor(host.cacheBytes / MIB)).toBe(0)
      expect(numbers[2]!).toBeGreaterThan(host.computeBytes / MIB)
      expect(numbers[2]!).toBeLessThan((host.computeBytes + logits) / MIB)
    },
  )
})

it('an engine without a GPU lists none', async () => {
  const list = await listDevices(join(binaries, 'llama-server'))
  expect(list).toEqual({ kind: 'listed', devices: [] })
})
