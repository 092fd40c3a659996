/** The puppet itself: tests stand on it, so it must do what it is told. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import got from 'got'
import { expect, it } from 'vitest'
import { createLlamaEngine } from '../../src/llama/llama-engine.ts'
import {
  type PuppetControl,
  puppetEngine,
  puppetFile,
  startPuppetControl,
} from '../helpers/puppet.ts'
import { tempDir } from '../helpers/temp-dir.ts'

function start(control: PuppetControl, socketPath: string): ChildProcess {
  const { file, args, env } = puppetEngine(control, socketPath).command
  return spawn(file, [...args], { env: { ...env }, stdio: 'pipe' })
}

const client = got.extend({
  enableUnixSockets: true,
  throwHttpErrors: false,
  retry: { limit: 0 },
  headers: { connection: 'close' },
})

it('answers 503 until it is told to be ready, and says both on stdout', async () => {
  await using dir = await tempDir()
  await using control = await startPuppetControl()
  const child = start(control, dir.file('e.sock'))
  const engine = puppetEngine(control, dir.file('e.sock'))
  const puppet = await control.next()
  await puppet.listening
  const lines: string[] = []
  const loaded = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      lines.push(line)
      if (engine.readLine(line, 'stdout').facts.some((fact) => fact.kind === 'loaded')) resolve()
    })
  })
  const url = `http://unix:${dir.file('e.sock')}:/health`
  expect((await client.get(url)).statusCode).toBe(503)
  await puppet.loadProgress(0.5)
  await puppet.ready()
  await loaded
  expect(engine.readLine(lines[0] ?? '', 'stdout').facts).toEqual([
    { kind: 'load-progress', value: 0.5 },
  ])
  expect((await client.get(url)).statusCode).toBe(200)
})

it('answers as the test says and dies in the middle of an answer', async () => {
  await using dir = await tempDir()
  await using control = await startPuppetControl()
  const child = start(control, dir.file('e.sock'))
  const puppet = await control.next()
  await puppet.ready()
  await puppet.answer('/x', { status: 200, chunks: ['one', 'two'], after: 'die' })
  const exit = once(child, 'exit')
  const stream = client.stream.get(`http://unix:${dir.file('e.sock')}:/x`)
  let text = ''
  const failed = new Promise<Error>((resolve) => {
    stream.on('error', resolve)
  })
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await failed
  expect(text).toBe('onetwo')
  expect(await exit).toEqual([null, 'SIGKILL'])
  await puppet.closed
})

it('lets the test drive an answer that it holds, and tells that the client went', async () => {
  await using dir = await tempDir()
  await using control = await startPuppetControl()
  start(control, dir.file('e.sock'))
  const puppet = await control.next()
  await puppet.ready()
  await puppet.answer('/x', { after: 'hold' })
  const url = `http://unix:${dir.file('e.sock')}:/x`
  const answer = client.post(url, { body: 'question', headers: { 'x-test': '1' } })
  const request = await puppet.onRequest('/x')
  expect(request).toMatchObject({ method: 'POST', body: 'question', complete: true })
  expect(request.headers['x-test']).toBe('1')
  await request.head(201)
  await request.write('slow')
  await request.end()
  expect(await answer).toMatchObject({ statusCode: 201, body: 'slow' })
  expect(await request.closed).toBe('answered')

  const stream = client.stream.get(url)
  stream.on('error', () => undefined)
  const second = await puppet.onRequest('/x')
  stream.destroy()
  expect(await second.closed).toBe('cut')
})

it('ignores what it is told to ignore, and reports it', async () => {
  await using dir = await tempDir()
  await using control = await startPuppetControl()
  const child = start(control, dir.file('e.sock'))
  const puppet = await control.next()
  await puppet.ready()
  await puppet.ignore('SIGTERM')
  await puppet.ignore('polite-exit')
  child.stdin?.write('cmd_router_to_child:exit\n')
  expect(await puppet.stdinLines.next()).toBe('cmd_router_to_child:exit')
  child.kill('SIGTERM')
  expect(await puppet.signals.next()).toBe('SIGTERM')
  await puppet.say('still here')
  const exit = once(child, 'exit')
  child.stdin?.end()
  await puppet.stdinEnded
  expect(await exit).toEqual([1, null])
})

it('answers chats by itself when nobody directs it', async () => {
  await using dir = await tempDir()
  const child = spawn(puppetFile, ['--host', dir.file('e.sock')], {
    env: { PATH: process.env['PATH'], LLAMA_SERVER_ROUTER_PORT: '1' },
    stdio: 'pipe',
  })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  expect(line).toContain('"state":"ready"')
  const url = `http://unix:${dir.file('e.sock')}:/v1/chat/completions`
  const plain = await client.post(url, { json: { messages: [] } }).json()
  expect(plain).toMatchObject({ choices: [{ message: { content: 'Hello from the puppet' } }] })
  const streamed = await client.post(url, { json: { messages: [], stream: true } })
  expect(streamed.body.endsWith('data: [DONE]\n\n')).toBe(true)
  const exit = once(child, 'exit')
  child.stdin.write('cmd_router_to_child:exit\n')
  expect(await exit).toEqual([0, null])
})

it('can stand in for llama-server under our real command line and environment', async () => {
  await using dir = await tempDir()
  await using control = await startPuppetControl()
  const options = {
    file: puppetFile,
    modelPath: dir.file('model.gguf'),
    alias: 'gpt-oss-20b',
    socketPath: dir.file('e.sock'),
    contextTokens: 4096,
    slots: 1,
    cacheType: 'f16' as const,
    cacheRamMiB: 0,
    extraArgs: ['--puppet-control', control.path],
    xdgConfigHome: dir.file('config'),
  }
  const { command } = createLlamaEngine(options, { safeMode: false, contextHalvings: 0 })
  const child = spawn(command.file, [...command.args], { env: { ...command.env }, stdio: 'pipe' })
  const puppet = await control.next()
  expect(puppet.pid).toBe(child.pid)
  expect(puppet.args).toEqual(command.args)
  expect(puppet.env).toMatchObject(command.env)
  const exit = once(child, 'exit')
  await puppet.exit(3)
  expect(await exit).toEqual([3, null])
})
