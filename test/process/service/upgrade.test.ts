/** An upgrade as the apps see it: none of their requests fails, whatever it was doing when the old daemon ended. */
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  copyPackage,
  type LaunchdScene,
  launchdScene,
  type LaunchdSceneOptions,
  otherVersion,
  type Package,
} from '../../helpers/launchd-scene.ts'
import { type Puppet, type PuppetControl, startPuppetControl } from '../../helpers/puppet.ts'
import { startSteadyClient } from '../../helpers/steady-client.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

let shared: TempDir
let own: Package
let next: Package

beforeAll(async () => {
  shared = await tempDir()
  own = await copyPackage(shared.file('package'))
  next = await otherVersion(own, shared.file('next'), '9.0.0')
})

afterAll(() => shared[Symbol.asyncDispose]())

type Given = Pick<LaunchdSceneOptions, 'onTestFinished'> & Partial<LaunchdSceneOptions>

async function installedScene(given: Given): Promise<LaunchdScene> {
  const scene = await launchdScene({ package: own, ...given })
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  await scene.untilReady()
  return scene
}

async function install(scene: LaunchdScene, version: Package): Promise<void> {
  const { exitCode, stderr } = await scene.oss20bdOf(version, 'install')
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
  expect(stderr).not.toContain('requests are refused')
}

/** The service is installed, and its engine loads. */
async function loadingScene(given: Given) {
  const puppets = await startPuppetControl()
  given.onTestFinished(() => puppets[Symbol.asyncDispose]())
  const scene = await launchdScene({ package: own, ...given })
  await scene.configure({
    'engine.extraArgs': ['--puppet-control', puppets.path],
    'engine.drainTimeout': '20s',
  })
  const [first] = await Promise.all([puppets.next(), scene.oss20bd('install')])
  await first.listening
  return { scene, puppets, first }
}

/** The next engine, which says that it is loaded. */
async function takeReady(puppets: PuppetControl): Promise<Puppet> {
  const puppet = await puppets.next()
  await puppet.listening
  await puppet.ready()
  return puppet
}

test('apps that ask all the time see no failure, nor one that keeps its connection', async ({
  onTestFinished,
}) => {
  const scene = await installedScene({ onTestFinished })
  await scene.putCopy(next)
  const kept = connect(scene.port, '127.0.0.1')
  onTestFinished(() => void kept.destroy())
  expect(await askOn(kept)).toContain('HTTP/1.1 200')
  const apps = [startSteadyClient(scene.url), startSteadyClient(scene.url)]
  await Promise.all(apps.map((app) => app.more(5)))
  await install(scene, next)
  await Promise.all(apps.map((app) => app.more(5)))
  for (const app of apps) expect(await app.end()).toMatchObject({ failures: [] })
  expect(await askOn(kept)).toContain('HTTP/1.1 200')
  expect((await scene.status()).daemon.version).toBe('9.0.0')
  expect(await readdir(scene.home.file('oss', 'service', 'programs'))).toEqual([next.name])
})

test('a restart of the daemon is no failure either', async ({ onTestFinished }) => {
  const scene = await installedScene({ onTestFinished })
  const { daemon } = await scene.status()
  const app = startSteadyClient(scene.url)
  await app.more(5)
  expect(await scene.oss20bd('restart', '--daemon')).toMatchObject({ exitCode: 0 })
  await app.more(5)
  expect(await app.end()).toMatchObject({ failures: [] })
  expect((await scene.status()).daemon.pid).not.toBe(daemon.pid)
})

test('a request that is held has its answer from the new daemon', async ({ onTestFinished }) => {
  const { scene, puppets } = await loadingScene({ onTestFinished })
  await scene.putCopy(next)
  const asked = scene.ask()
  await scene.until(({ proxy }) => proxy.held === 1)
  const installed = install(scene, next)
  await takeReady(puppets)
  expect(await asked).toBe(200)
  await installed
})

test('an answer that is on its way is finished first', async ({ onTestFinished }) => {
  const { scene, puppets, first } = await loadingScene({ onTestFinished })
  await scene.putCopy(next)
  await first.ready()
  await scene.untilReady()
  await first.answer('/v1/chat/completions', { after: 'hold' })
  const asked = scene.ask()
  const request = await first.onRequest('/v1/chat/completions')
  const installed = install(scene, next)
  await scene.untilCalled('bootout', 2)
  await request.head(200, { 'content-type': 'application/json' })
  await request.write('{}')
  await request.end()
  expect(await asked).toBe(200)
  await takeReady(puppets)
  await installed
})

test('when the new version does not come up the old one is back, and answers what was held', async ({
  onTestFinished,
}) => {
  const broken = await otherVersion(own, shared.file('broken'), '9.9.9', 'process.exit(70)\n')
  // Long enough to be seen dead between two starts.
  const { scene, puppets } = await loadingScene({ onTestFinished, secondMs: 300 })
  await scene.putCopy(broken)
  const before = await readFile(scene.plist, 'utf8')
  const { version } = (await scene.status()).daemon
  const asked = scene.ask()
  await scene.until(({ proxy }) => proxy.held === 1)
  const installed = scene.oss20bdOf(broken, 'install')
  await takeReady(puppets)
  expect(await asked).toBe(200)
  expect(await installed).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/last exit 70; what was there before has been put back/),
  })
  expect((await scene.untilReady()).daemon.version).toBe(version)
  expect(await readFile(scene.plist, 'utf8')).toBe(before)
})

test('what npm removes under a running service does not touch it', async ({ onTestFinished }) => {
  const passing = await otherVersion(own, shared.file('passing'), '8.0.0')
  const scene = await installedScene({ onTestFinished, package: passing, isCopied: false })
  const { daemon } = await scene.status()
  await rm(passing.folder, { recursive: true })
  process.kill(daemon.pid, 'SIGKILL')
  await scene.untilReady(daemon.pid)
  expect(await scene.ask()).toBe(200)
})

/** The head of the answer to a question on this very connection, which stays open. */
async function askOn(socket: Socket): Promise<string> {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] })
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  let answer = ''
  while (!/\r\n\r\n/.test(answer)) {
    const [bytes]: unknown[] = await once(socket, 'data')
    answer += String(bytes)
  }
  return answer
}
