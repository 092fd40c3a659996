/** Deaths of the real llama-server, brought about on purpose, and what we make of them. */
import { chmod, copyFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import got from 'got'
import { describe, expect, it } from 'vitest'
import type { Engine, EngineLine, ExitReason } from '../../src/engine.ts'
import { spawnEngine } from '../../src/supervisor/child.ts'
import { engineFor } from '../helpers/engine-for.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { testModelFile } from '../helpers/test-engine.ts'

/** The same engine, started by a shell that first takes away address space. */
function limitedTo(engine: Engine, kibibytes: number): Engine {
  const { file: server, args, env } = engine.command
  const script = `ulimit -v ${kibibytes}; exec "$0" "$@"`
  return { ...engine, command: { file: '/bin/bash', args: ['-c', script, server, ...args], env } }
}

/** Runs it to its end; `onLine` may help it there. */
async function deathOf(
  engine: Engine,
  onLine: (line: EngineLine, pid: number) => void = () => undefined,
): Promise<ExitReason> {
  let pid: number | null = null
  const child = spawnEngine(engine, (line) => {
    if (pid !== null) onLine(line, pid)
  })
  pid = child.pid
  return engine.classifyExit(await child.exited)
}

function isSentence(text: string | null): boolean {
  return text !== null && /^[A-Z]\S* .*[^.]$/.test(text) && !text.includes('\n')
}

const wholeModel = (path: string): Promise<void> =>
  testModelFile().then((model) => copyFile(model, path))

async function changedModel(path: string, change: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readFile(await testModelFile())
  change(bytes)
  await writeFile(path, bytes)
}

describe('a model file', () => {
  it.each<[what: string, cause: string, words: string, prepare: (path: string) => Promise<void>]>([
    ['is missing', 'model-missing', 'No such file', async () => undefined],
    ['is empty', 'model-corrupt', 'empty', (path) => writeFile(path, '')],
    ['is no model', 'model-corrupt', "'HELL'", (path) => writeFile(path, 'HELLO, not a model')],
    [
      'is GGML v3',
      'model-legacy-format',
      'GGML',
      (path) => writeFile(path, Buffer.concat([Buffer.from('tjgg\u0003'), Buffer.alloc(64)])),
    ],
    [
      'is cut in its header',
      'model-corrupt',
      'header',
      (path) => wholeModel(path).then(() => truncate(path, 4000)),
    ],
    [
      'is cut in its data',
      'model-corrupt',
      'cut short',
      (path) => wholeModel(path).then(() => truncate(path, 500_000)),
    ],
    [
      'is of GGUF version 1',
      'model-legacy-format',
      'version 1',
      (path) => changedModel(path, (bytes) => bytes.writeUInt32LE(1, 4)),
    ],
    [
      'is of a GGUF version to come',
      'model-corrupt',
      'version 9',
      (path) => changedModel(path, (bytes) => bytes.writeUInt32LE(9, 4)),
    ],
    [
      'is of the other byte order',
      'model-corrupt',
      'byte order',
      (path) => changedModel(path, (bytes) => bytes.writeUInt32BE(3, 4)),
    ],
    [
      'is of another architecture',
      'model-corrupt',
      "'gpt-xyz'",
      (path) =>
        changedModel(path, (bytes) => {
          for (let at = bytes.indexOf('gpt-oss'); at !== -1; at = bytes.indexOf('gpt-oss')) {
            bytes.write('gpt-xyz', at)
          }
        }),
    ],
  ])('that %s ends it for good, in words', async (_what, cause, words, prepare) => {
    await using dir = await tempDir()
    await prepare(dir.file('model.gguf'))
    const reason = await deathOf(engineFor(dir))
    expect(reason).toMatchObject({ cause, permanent: true })
    expect(reason.message).toContain(dir.file('model.gguf'))
    expect(reason.message).toContain(words)
    expect([reason.message, reason.hint].map(isSentence)).toEqual([true, true])
  })
})

describe('an argument', () => {
  it.each([
    [['--bogus-flag'], '--bogus-flag'],
    [['--ctx-size', 'many'], '--ctx-size'],
    [['--ctx-size'], '--ctx-size'],
    [['--device', 'MTL9'], 'MTL9'],
    [['--lora', '/nope'], 'lora adapter'],
    [['--mmproj', '/nope'], 'multimodal model'],
    [['--flash-attn', 'off', '--cache-type-v', 'q8_0'], 'quantized V cache'],
    [['--chat-template', '{{ foo'], 'chat template'],
  ])('that it refuses ends it for good, in words: %j', async (extraArgs, words) => {
    await using dir = await tempDir()
    const reason = await deathOf(engineFor(dir, { modelPath: await testModelFile(), extraArgs }))
    expect(reason).toMatchObject({ cause: 'bad-flag', permanent: true })
    expect(reason.message).toContain(words)
    expect(reason.hint).toContain('engine.extraArgs')
    expect([reason.message, reason.hint].map(isSentence)).toEqual([true, true])
  })
})

describe('a socket', () => {
  it('on which somebody listens is told, and tried again', async () => {
    await using dir = await tempDir()
    const server = createServer()
    await new Promise<void>((resolve) => {
      server.listen(dir.file('e.sock'), resolve)
    })
    const reason = await deathOf(engineFor(dir, { modelPath: await testModelFile() }))
    server.close()
    expect(reason).toMatchObject({ cause: 'unknown', permanent: false })
    expect(reason.message).toContain(`its socket ${dir.file('e.sock')} is taken`)
    expect([reason.message, reason.hint].map(isSentence)).toEqual([true, true])
  })

  it('in a folder that is not there is told, and tried again', async () => {
    await using dir = await tempDir()
    const socketPath = dir.file('nowhere', 'e.sock')
    const reason = await deathOf(engineFor(dir, { modelPath: await testModelFile(), socketPath }))
    expect(reason).toMatchObject({ cause: 'unknown', permanent: false })
    expect(reason.message).toContain(socketPath)
    expect(reason.message).toContain('its folder is missing')
  })
})

describe('memory', () => {
  it.each([
    ['of a large context', 1_000_000, 400_000, 'not enough memory'],
    ['of a context too large to count', 100_000_000, 600_000, 'want of memory'],
    ['of its threads', 4096, 40_000, 'threads or memory'],
  ])('%s beyond the limit is told, and tried again', async (_what, contextTokens, limit, words) => {
    await using dir = await tempDir()
    const modelPath = await testModelFile()
    const reason = await deathOf(limitedTo(engineFor(dir, { modelPath, contextTokens }), limit))
    expect(reason).toMatchObject({ cause: 'out-of-memory-load', permanent: false })
    expect(reason.message).toContain(words)
    expect(reason.hint).toContain('model.contextTokens')
    expect([isSentence(reason.message), isSentence(reason.hint)]).toEqual([
      reason.message.startsWith('Cannot'),
      true,
    ])
  })

  it('of the file itself beyond the limit is told, and tried again', async () => {
    await using dir = await tempDir()
    const modelPath = await testModelFile({ paddedBytes: 2 ** 30 })
    const reason = await deathOf(limitedTo(engineFor(dir, { modelPath }), 700_000))
    expect(reason).toMatchObject({ cause: 'out-of-memory-load', permanent: false })
    expect(reason.message).toContain(modelPath)
  })
})

describe('a signal', () => {
  it.each([
    ['SIGKILL', 'killed-by-os', 'killed from outside'],
    ['SIGSEGV', 'signal', 'crashed (SIGSEGV)'],
    ['SIGBUS', 'signal', 'crashed (SIGBUS)'],
    ['SIGABRT', 'assert', 'gave up'],
  ] as const)('%s once it is ready is told, and tried again', async (signal, cause, words) => {
    await using dir = await tempDir()
    const reason = await deathOf(
      engineFor(dir, { modelPath: await testModelFile() }),
      (line, pid) => {
        if (line.facts.some(({ kind }) => kind === 'loaded')) process.kill(pid, signal)
      },
    )
    expect(reason).toMatchObject({ cause, permanent: false })
    expect(reason.message).toContain(words)
  })

  it.each([
    ['SIGKILL', 'killed-by-os'],
    ['SIGTERM', 'signal'],
    ['SIGSEGV', 'signal'],
  ] as const)('%s while it loads is told, and tried again', async (signal, cause) => {
    await using dir = await tempDir()
    const facts: string[] = []
    // A context of this size keeps it busy for long after its first sign of progress.
    const slow = { modelPath: await testModelFile(), contextTokens: 500_000 }
    const reason = await deathOf(engineFor(dir, slow), (line, pid) => {
      if (facts.length === 0 && line.facts.length > 0) process.kill(pid, signal)
      facts.push(...line.facts.map(({ kind }) => kind))
    })
    expect(reason).toMatchObject({ cause, permanent: false })
    expect(facts).toContain('load-progress')
    expect(facts).not.toContain('loaded')
  })
})

describe('a machine that is to hold a part of the model', () => {
  it('and does not answer is told, and tried again', async () => {
    await using dir = await tempDir()
    const extraArgs = ['--rpc', '127.0.0.1:1']
    const reason = await deathOf(engineFor(dir, { modelPath: await testModelFile(), extraArgs }))
    expect(reason).toMatchObject({ cause: 'remote-lost', permanent: false })
    expect(reason.message).toContain('127.0.0.1:1')
  })
})

describe('a binary', () => {
  /** The start of an ELF program for 64-bit ARM, or for s390x where this machine is one. */
  const foreign = Buffer.alloc(4096)
  foreign.write('\u007fELF\u0002\u0001\u0001', 'latin1')
  foreign.writeUInt16LE(2, 16)
  foreign.writeUInt16LE(process.arch === 'arm64' ? 22 : 183, 18)
  foreign.writeUInt32LE(1, 20)

  it.each<[what: string, content: Buffer | null, mode: number]>([
    ['is not there', null, 0o755],
    ['is not executable', Buffer.from('#!/bin/sh\n'), 0o644],
    ['is no program', Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]), 0o755],
    ['is for another processor', foreign, 0o755],
    ['is a script without its interpreter', Buffer.from('#!/nowhere/sh\n'), 0o755],
  ])('that %s ends it for good, in words', async (_what, content, mode) => {
    await using dir = await tempDir()
    const binary = dir.file('llama-server')
    if (content !== null) {
      await writeFile(binary, content)
      await chmod(binary, mode)
    }
    const reason = await deathOf(engineFor(dir, { file: binary }))
    expect(reason).toMatchObject({ cause: 'engine-missing', permanent: true })
    expect(reason.message).toContain(binary)
    expect(reason.hint).toContain('oss20bd build')
    expect([reason.message, reason.hint].map(isSentence)).toEqual([true, true])
  })

  it('that is empty is told, and tried again', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('llama-server'), '', { mode: 0o755 })
    const reason = await deathOf(engineFor(dir, { file: dir.file('llama-server') }))
    expect(reason).toMatchObject({ cause: 'unknown', permanent: false })
    expect(reason.message).toContain(dir.file('llama-server'))
    expect(reason.hint).toContain('oss20bd build')
  })
})

describe('a request', () => {
  it('cannot make a sound engine look broken, nor its own words be logged', async () => {
    await using dir = await tempDir()
    const engine = engineFor(dir, { modelPath: await testModelFile() })
    const sticky = 'ggml_metal_synchronize: error: command buffer 0 failed with status 5'
    const reason =
      'error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)'
    const grammar = ['root ::= a', sticky, reason, `0.01.000.000 E ${sticky}`, 'Zebra: quartz', '[']
    const lines: EngineLine[] = []
    let asked: Promise<unknown> = Promise.resolve()
    const exit = await deathOf(engine, (line, pid) => {
      lines.push(line)
      if (!line.facts.some(({ kind }) => kind === 'loaded')) return
      asked = got
        .post(`http://unix:${engine.socketPath}:/v1/completions`, {
          json: { prompt: '#', max_tokens: 2, grammar: grammar.join('\n') },
          enableUnixSockets: true,
          throwHttpErrors: false,
          retry: { limit: 0 },
        })
        .then((response) => process.kill(pid, 'SIGSEGV') && response.statusCode)
    })
    expect(await asked).toBe(400)
    const text = lines.map((line) => line.text).join('\n')
    expect(text).toContain('failed to parse grammar')
    for (const word of ['kIOGPU', 'command buffer', 'Zebra', 'quartz']) {
      expect(text).not.toContain(word)
    }
    expect(lines.flatMap(({ facts }) => facts).map(({ kind }) => kind)).not.toContain('broken')
    expect(exit).toMatchObject({ cause: 'signal', permanent: false })
  })
})
