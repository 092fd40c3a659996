/** What `src/llama` believes of llama-server, checked against the real one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { truncate, copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import got from 'got'
import { describe, expect, it } from 'vitest'
import type { Engine, EngineLine, ExitReason } from '../../src/engine.ts'
import { readEngineVersion } from '../../src/llama/engine-info.ts'
import { engineFor } from '../helpers/engine-for.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { testEngineFolder, testModelFile } from '../helpers/test-engine.ts'

const file = join(testEngineFolder(), 'bin', 'llama-server')

interface Run {
  readonly lines: EngineLine[]
  readonly loaded: Promise<void>
  readonly reason: Promise<ExitReason>
  ask(path: string, json: unknown): Promise<{ status: number; text: string }>
  leave(): void
  kill(signal: NodeJS.Signals): void
}

function run(engine: Engine): Run {
  const { command, socketPath } = engine
  const child = spawn(command.file, [...command.args], { env: { ...command.env }, stdio: 'pipe' })
  const lines: EngineLine[] = []
  const loaded = new Promise<void>((resolve) => {
    for (const stream of ['stdout', 'stderr'] as const) {
      createInterface({ input: child[stream] }).on('line', (text) => {
        const line = engine.readLine(text, stream)
        lines.push(line)
        if (line.facts.some((fact) => fact.kind === 'loaded')) resolve()
      })
    }
  })
  const reason = once(child, 'close').then(([exitCode, signal]: unknown[]) =>
    engine.classifyExit({
      exitCode: typeof exitCode === 'number' ? exitCode : null,
      signal: typeof signal === 'string' ? signal : null,
      lastLines: lines.map((line) => line.text).slice(-50),
      spawnError: null,
    }),
  )
  return {
    lines,
    loaded,
    reason,
    ask: async (path, json) => {
      const response = await got.post(`http://unix:${socketPath}:${path}`, {
        ...(typeof json === 'string' ? { body: json } : { json }),
        headers: { connection: 'close' },
        enableUnixSockets: true,
        throwHttpErrors: false,
        retry: { limit: 0 },
      })
      return { status: response.statusCode, text: response.body }
    },
    leave: () => void child.stdin.write(`${engine.politeExitLine}\n`),
    kill: (signal) => void child.kill(signal),
  }
}

describe('llama-server', () => {
  it('tells its version', async () => {
    expect(await readEngineVersion(file)).toMatchObject({
      version: expect.stringMatching(/^0\.5\.0/),
      commit: expect.stringMatching(/^[0-9a-f]{7,}$/),
    })
  })

  it('takes our command line, tells its load, passes the canary and leaves when asked', async () => {
    await using dir = await tempDir()
    const engine = engineFor(dir, { modelPath: await testModelFile() })
    const running = run(engine)
    await running.loaded
    const facts = running.lines.flatMap((line) => line.facts)
    expect(facts.at(0)).toMatchObject({ kind: 'load-progress' })
    const canary = await running.ask(engine.canary.path, engine.canary.json)
    expect(canary.status).toBe(200)
    expect(JSON.parse(canary.text)).toMatchObject({ usage: { completion_tokens: 1 } })
    running.leave()
    expect(await running.reason).toMatchObject({ message: expect.stringContaining('exit code 0') })
  })

  it('is killed by the operating system', async () => {
    await using dir = await tempDir()
    const running = run(engineFor(dir, { modelPath: await testModelFile() }))
    await running.loaded
    running.kill('SIGKILL')
    expect(await running.reason).toMatchObject({ cause: 'killed-by-os', permanent: false })
  })
})

describe('a start that cannot work', () => {
  it.each<[name: string, cause: string, prepare: (path: string) => Promise<void>]>([
    ['no model file', 'model-missing', async () => undefined],
    ['an empty file', 'model-corrupt', (path) => writeFile(path, '')],
    ['a file that is not GGUF', 'model-corrupt', (path) => writeFile(path, 'HELLO, not a model')],
    [
      'a GGML file of old',
      'model-legacy-format',
      (path) => writeFile(path, Buffer.concat([Buffer.from('tjgg'), Buffer.alloc(64, 3)])),
    ],
    [
      'a file cut short in its header',
      'model-corrupt',
      async (path) => {
        await copyFile(await testModelFile(), path)
        await truncate(path, 4000)
      },
    ],
    [
      'a file cut short in its tensors',
      'model-corrupt',
      async (path) => {
        await copyFile(await testModelFile(), path)
        await truncate(path, 500_000)
      },
    ],
  ])('is explained and permanent: %s', async (_name, cause, prepare) => {
    await using dir = await tempDir()
    await prepare(dir.file('model.gguf'))
    const reason = await run(engineFor(dir, {})).reason
    expect(reason).toMatchObject({ cause, permanent: true })
    expect(reason.message).toContain(dir.file('model.gguf'))
  })

  it.each([[['--bogus-flag']], [['--ctx-size', 'many']]])(
    'is explained and permanent: the arguments %j',
    async (extraArgs) => {
      await using dir = await tempDir()
      const modelPath = await testModelFile()
      const reason = await run(engineFor(dir, { modelPath, extraArgs })).reason
      expect(reason).toMatchObject({ cause: 'bad-flag', permanent: true })
      expect(reason.message).toContain(extraArgs[0])
    },
  )

  it('is explained and may be tried again: something lies where its socket should be', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('e.sock'), '')
    const reason = await run(engineFor(dir, { modelPath: await testModelFile() })).reason
    expect(reason).toMatchObject({ permanent: false })
    expect(reason.message).toContain(`its socket ${dir.file('e.sock')} is taken`)
  })
})

describe('what is logged of real traffic', () => {
  const secret = 'zebraquartz'

  it('holds no word of a prompt, tool, grammar or answer, also when all of them are wrong', async () => {
    await using dir = await tempDir()
    const modelPath = await testModelFile({ variant: 'malformed-harmony' })
    const running = run(engineFor(dir, { modelPath }))
    await running.loaded
    const messages = [{ role: 'user', content: secret }]
    const chat = '/v1/chat/completions'
    const malformed = await running.ask(chat, { messages })
    expect(malformed.text).toContain('does not match the expected')
    await running.ask(chat, `{"messages": ${secret} [`)
    await running.ask(chat, { messages, tools: [{ type: 'x', name: secret }] })
    await running.ask(chat, { messages, tools: [{ type: 'function', name: secret }] })
    await running.ask('/v1/completions', { prompt: secret, max_tokens: 5 })
    await running.ask('/v1/completions', {
      prompt: '#',
      grammar: `root ::= ${secret}\n ${secret} [`,
    })
    await running.ask('/v1/completions', { prompt: '#', json_schema: { type: secret } })
    await running.ask('/v1/responses', { input: secret, tools: [{ type: secret }] })
    await running.ask('/v1/messages', {
      system: `x-anthropic-billing-header: cch=${secret}`,
      max_tokens: 5,
      messages,
    })
    running.leave()
    await running.reason
    const text = running.lines.map((line) => line.text).join('\n')
    expect(text).toContain('unparsed peg-native output')
    expect(text).toContain('got exception: 500 Failed to parse tools')
    expect(text).not.toContain(secret)
    expect(text).not.toContain('not the real gpt-oss-20b')
  })
})
