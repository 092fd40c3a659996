/** The life of the service under systemd: the real CLI, shim and daemon, run by a real user manager. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { once } from 'node:events'
import { execa } from 'execa'
import { describe, expect, test, type TestContext } from 'vitest'
import { isGone } from '../../../src/cli/process-gone.ts'
import { writeTestModel } from '../../../src/model/test-model.ts'
import { binFile, freePort } from '../../helpers/cli.ts'
import { configText } from '../../helpers/daemon-scene.ts'
import {
  type Puppet,
  type PuppetControl,
  puppetFile,
  startPuppetControl,
} from '../../helpers/puppet.ts'
import { startSteadyClient } from '../../helpers/steady-client.ts'
import {
  putDropIn,
  startUserManager,
  type UserManager,
  whyNoUserManager,
} from '../../helpers/user-manager.ts'

const unit = 'oss20bd.service'
const missing = whyNoUserManager()
const leftOut = missing === null ? '' : ` (left out: ${missing})`

interface Scene {
  readonly manager: UserManager
  readonly puppets: PuppetControl
  readonly port: number
  readonly oss20bd: (...args: readonly string[]) => ReturnType<typeof run>
  /** A puppet that has said that it is ready. */
  readonly readyPuppet: () => Promise<Puppet>
  readonly pid: () => Promise<number>
  /** The pid of a daemon that systemd counts as started, and that is not this one. */
  readonly untilStarted: (notPid?: number) => Promise<number>
}

function run(manager: UserManager, args: readonly string[]) {
  return execa(process.execPath, [binFile, ...args], {
    env: manager.env,
    extendEnv: false,
    reject: false,
  })
}

async function systemdScene(onTestFinished: TestContext['onTestFinished']): Promise<Scene> {
  const puppets = await startPuppetControl()
  onTestFinished(() => puppets[Symbol.asyncDispose]())
  const manager = await startUserManager(onTestFinished)
  const port = await freePort()
  await putHome(manager, port, puppets)
  const pid = async (): Promise<number> => Number(await manager.property(unit, 'MainPID'))
  return {
    manager,
    puppets,
    port,
    oss20bd: (...args) => run(manager, args),
    readyPuppet: async () => {
      const puppet = await puppets.next()
      await puppet.listening
      await puppet.ready()
      await manager.untilProperty(unit, 'StatusText', (text) => text === 'ready: answering')
      return puppet
    },
    pid,
    untilStarted: async (notPid = 0) => {
      await manager.untilProperty(unit, 'MainPID', (text) => ![0, notPid].includes(Number(text)))
      await manager.untilProperty(unit, 'ActiveState', (text) => text === 'active')
      return pid()
    },
  }
}

async function putHome({ home }: UserManager, port: number, puppets: PuppetControl): Promise<void> {
  await mkdir(home.file('h', 'models'), { recursive: true })
  await writeTestModel(home.file('h', 'models', 'current'), { template: '<|channel|>' })
  await writeFile(
    home.file('h', 'config.toml'),
    configText({
      'proxy.port': port,
      'engine.path': puppetFile,
      'engine.extraArgs': ['--puppet-control', puppets.path],
      'engine.drainTimeout': '1s',
      'engine.exitGrace': '1s',
      'engine.termGrace': '1s',
    }),
  )
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

describe.skipIf(missing !== null)(`oss20bd under systemd${leftOut}`, () => {
  test('it is installed, counts as started while the engine loads, and tells how far it is', async ({
    onTestFinished,
  }) => {
    const { manager, oss20bd, puppets, port } = await systemdScene(onTestFinished)
    const installing = oss20bd('install')
    const puppet = await puppets.next()
    expect(await installing).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`Installed: ${manager.home.path}/.config/systemd/user/`),
      stderr: expect.stringContaining('loginctl enable-linger'),
    })
    expect(await canConnect(port)).toBe(true)
    expect(await manager.systemctl('is-enabled', unit)).toBe('enabled')
    await puppet.listening
    const loading = puppet.load({ from: 0, to: 0.42, forMs: 100, everyMs: 50 })
    await manager.untilProperty(unit, 'StatusText', (text) => text.includes('42 %'))
    await loading
    expect(await manager.property(unit, 'StatusText')).toBe('starting: loading the model, 42 %')
    expect(await readFile(`/proc/${puppet.pid}/oom_score_adj`, 'utf8')).toBe('500\n')
    await puppet.ready()
    await manager.untilProperty(unit, 'StatusText', (text) => text === 'ready: answering')
  })

  test('systemd itself has nothing to say against the unit', async ({ onTestFinished }) => {
    const { manager, oss20bd, readyPuppet } = await systemdScene(onTestFinished)
    await Promise.all([oss20bd('install'), readyPuppet()])
    const file = manager.home.file('.config', 'systemd', 'user', unit)
    const checked = await execa('systemd-analyze', ['--user', 'verify', file], {
      env: manager.env,
      extendEnv: false,
      reject: false,
    })
    expect(checked).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('a daemon that is killed is started again, with a new engine', async ({
    onTestFinished,
  }) => {
    const { oss20bd, readyPuppet, pid, untilStarted, manager } = await systemdScene(onTestFinished)
    const [, before] = await Promise.all([oss20bd('install'), readyPuppet()])
    const killed = await pid()
    process.kill(killed, 'SIGKILL')
    expect(await untilStarted(killed)).not.toBe(killed)
    const after = await readyPuppet()
    expect(after.pid).not.toBe(before.pid)
    expect(await isGone(before.pid)).toBe(true)
    expect(await manager.property(unit, 'NRestarts')).toBe('1')
  })

  test('one that stands still is ended by the watchdog and started again', async ({
    onTestFinished,
  }) => {
    const { manager, oss20bd, readyPuppet, pid, untilStarted } = await systemdScene(onTestFinished)
    await putDropIn(manager, unit, '[Service]\nWatchdogSec=3\n')
    await Promise.all([oss20bd('install'), readyPuppet()])
    const stopped = await pid()
    process.kill(stopped, 'SIGSTOP')
    await manager.untilProperty(unit, 'Result', (result) => result === 'watchdog')
    expect(await untilStarted(stopped)).not.toBe(stopped)
    await readyPuppet()
  })

  test('one whose loop turns is left alone by the watchdog', async ({ onTestFinished }) => {
    const { manager, oss20bd, readyPuppet, pid } = await systemdScene(onTestFinished)
    await putDropIn(manager, unit, '[Service]\nWatchdogSec=2\n')
    await Promise.all([oss20bd('install'), readyPuppet()])
    const before = await pid()
    const at = async (): Promise<number> =>
      Number(await manager.property(unit, 'WatchdogTimestampMonotonic'))
    const first = await at()
    await manager.untilProperty(
      unit,
      'WatchdogTimestampMonotonic',
      (text) => Number(text) > first + 4_000_000,
    )
    expect(await pid()).toBe(before)
    expect(await manager.property(unit, 'NRestarts')).toBe('0')
  })

  test('stop lets the daemon end by itself, and start starts it again', async ({
    onTestFinished,
  }) => {
    const { manager, oss20bd, readyPuppet, port, pid } = await systemdScene(onTestFinished)
    await Promise.all([oss20bd('install'), readyPuppet()])
    const first = await pid()
    expect(await oss20bd('stop')).toMatchObject({ exitCode: 0 })
    expect(await manager.property(unit, 'Result')).toBe('success')
    expect(await manager.property(unit, 'ActiveState')).toBe('inactive')
    expect(await isGone(first)).toBe(true)
    expect(await canConnect(port)).toBe(false)
    const [started] = await Promise.all([oss20bd('start'), readyPuppet()])
    expect(started).toMatchObject({ exitCode: 0 })
    expect(await manager.property(unit, 'ActiveState')).toBe('active')
  })

  test('install over a daemon that runs: apps that ask all the time see no failure', async ({
    onTestFinished,
  }) => {
    const { oss20bd, readyPuppet, pid, port } = await systemdScene(onTestFinished)
    await Promise.all([oss20bd('install'), readyPuppet()])
    const first = await pid()
    const app = startSteadyClient(`http://127.0.0.1:${port}`)
    await app.more(5)
    const [installed] = await Promise.all([oss20bd('install'), readyPuppet()])
    expect(installed).toMatchObject({ exitCode: 0 })
    expect(installed.stderr).not.toContain('requests are refused')
    expect(await pid()).not.toBe(first)
    await app.more(5)
    expect(await app.end()).toMatchObject({ failures: [] })
  })

  test('uninstall leaves nothing of it', async ({ onTestFinished }) => {
    const { manager, oss20bd, readyPuppet, pid, port } = await systemdScene(onTestFinished)
    await Promise.all([oss20bd('install'), readyPuppet()])
    const before = await pid()
    expect(await oss20bd('uninstall')).toMatchObject({ exitCode: 0 })
    expect(await isGone(before)).toBe(true)
    expect(await canConnect(port)).toBe(false)
    expect(await manager.property(unit, 'LoadState')).toBe('not-found')
    const left = await readdir(manager.home.file('.config'), { recursive: true }).catch(() => [])
    expect(left.filter((path) => path.includes('oss20bd'))).toEqual([])
    expect(await readdir(manager.home.file('h'))).not.toContain('service')
    expect(await readdir(manager.home.file('h'))).toContain('models')
  })
})
