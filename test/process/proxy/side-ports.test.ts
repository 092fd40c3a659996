/** Further ports beside the public one: real sockets, and once the real daemon. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import got from 'got'
import { expect, test, type TestContext, vi } from 'vitest'
import type { NewJournalEvent } from '../../../src/journal.ts'
import { SidePorts } from '../../../src/proxy/side-ports.ts'
import { freePort } from '../../helpers/cli.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { startRig } from '../../helpers/proxy-rig.ts'
import { puppetScene } from '../../helpers/puppet-scene.ts'

const patience = { timeout: 20_000, interval: 20 }

async function sideRig(ports: readonly number[], onTestFinished: TestContext['onTestFinished']) {
  const rig = await startRig((_req, res) => res.end('from the engine'))
  const clock = new FakeClock()
  const told: NewJournalEvent[] = []
  const sidePorts = new SidePorts({
    host: '127.0.0.1',
    ports,
    maxConnections: 10,
    accept: (socket) => rig.proxy.accept(socket),
    findPortHolder: async () => ({ pid: 42, name: 'ollama' }),
    journal: (event) => told.push(event),
    clock,
  })
  const ending = new AbortController()
  const running = sidePorts.run(ending.signal)
  const end = async (): Promise<void> => {
    ending.abort()
    await running
  }
  onTestFinished(async () => {
    await end()
    await rig[Symbol.asyncDispose]()
  })
  return { rig, clock, told, sidePorts, end }
}

function ask(port: number, path: string, headers: Record<string, string> = {}) {
  return got(`http://127.0.0.1:${port}${path}`, {
    headers: { connection: 'close', ...headers },
    throwHttpErrors: false,
    retry: { limit: 0 },
  })
}

const open = (port: number) => ({ port, isOpen: true, trouble: null })

test('answers there as at the public port, and judges as strictly', async ({ onTestFinished }) => {
  const ports = [await freePort(), await freePort()]
  const { rig, sidePorts, end } = await sideRig(ports, onTestFinished)
  await vi.waitFor(() => expect(sidePorts.state()).toEqual(ports.map(open)), patience)
  for (const port of ports) {
    expect((await ask(port, '/v1/models')).body).toBe((await ask(rig.port, '/v1/models')).body)
    expect((await ask(port, '/v1/embeddings')).body).toBe('from the engine')
    expect((await ask(port, '/v1/models', { host: 'evil.example' })).statusCode).toBe(403)
    expect((await ask(port, '/v1/models', { origin: 'http://evil.example' })).statusCode).toBe(403)
  }
  await end()
  await expect(ask(ports[0]!, '/v1/models')).rejects.toThrow('ECONNREFUSED')
  expect((await ask(rig.port, '/v1/models')).statusCode).toBe(200)
})

test('one that is taken is told once and tried again, and the public port goes on', async ({
  onTestFinished,
}) => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const address = holder.address()
  const port = address instanceof Object ? address.port : 0
  const { rig, clock, told, sidePorts } = await sideRig([port], onTestFinished)
  const untilTriedAgain = () => vi.waitFor(() => expect(clock.sleeping).toBe(1), patience)
  await untilTriedAgain()
  const trouble = `Cannot listen on port ${port}: ollama (pid 42) has it`
  expect(sidePorts.state()).toEqual([{ port, isOpen: false, trouble }])
  expect(told).toEqual([])
  for (let again = 0; again < 3; again += 1) {
    await clock.advance(5000)
    await untilTriedAgain()
  }
  expect(told).toMatchObject([{ kind: 'port', hint: expect.stringContaining('alsoListen') }])
  expect(told[0]?.message).toContain(trouble)
  expect((await ask(rig.port, '/health')).statusCode).toBe(200)

  holder.close()
  await once(holder, 'close')
  await clock.advance(5000)
  await vi.waitFor(() => expect(sidePorts.state()).toEqual([open(port)]), patience)
  expect(told.slice(1)).toMatchObject([{ message: `Listening on port ${port} now` }])
  expect((await ask(port, '/health')).statusCode).toBe(200)
})

test('the daemon listens where the config says, and tells which it could not have', async ({
  onTestFinished,
}) => {
  const holder = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void holder.close())
  await once(holder, 'listening')
  const address = holder.address()
  const taken = address instanceof Object ? address.port : 0
  const free = await freePort()
  const { scene, readyPuppet } = await puppetScene({
    onTestFinished,
    config: { 'proxy.alsoListen': [free, taken] },
  })
  await readyPuppet()
  const { proxy } = await scene.untilAsked(({ proxy: { alsoListening } }) =>
    alsoListening.every(({ isOpen, trouble }) => isOpen || trouble !== null),
  )
  expect(proxy.alsoListening).toMatchObject([
    open(free),
    { port: taken, isOpen: false, trouble: expect.stringContaining(`(pid ${process.pid}) has it`) },
  ])
  expect((await ask(free, '/v1/models')).body).toContain('gpt-oss-20b')
  const ollama = await ask(free, '/api/chat')
  expect(ollama.statusCode).toBe(404)
  expect(ollama.body).toContain('use /v1/chat/completions')
  const { stdout } = await scene.oss20bd('status')
  expect(stdout).toContain(`${free} too`)
  expect(stdout).toContain(`Cannot listen on port ${taken}`)
})
