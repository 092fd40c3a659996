/** The life of the service on a Mac: the real CLI, shim and daemon, and a launchctl that stands in. */
import { access, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { isGone } from '../../../src/cli/process-gone.ts'
import {
  copyPackage,
  finishers,
  type LaunchdScene,
  launchdScene,
  type Package,
} from '../../helpers/launchd-scene.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const { onFinished, finish } = finishers()
let own: Package

beforeAll(async () => {
  const shared = await tempDir()
  onFinished(() => shared[Symbol.asyncDispose]())
  own = await copyPackage(shared.file('package'))
})

afterAll(finish)

/** Everything under the home that is not the user's own or the daemon's. */
async function serviceFiles({ home }: LaunchdScene): Promise<readonly string[]> {
  const namesIn = async (...folder: string[]): Promise<readonly string[]> =>
    readdir(home.file(...folder)).catch(() => [])
  return [
    ...(await namesIn('Library', 'LaunchAgents')),
    ...(await namesIn('oss', 'service')),
    ...(await namesIn('oss', 'logs')).filter((name) => name === 'launchd.err'),
  ]
}

/** The calls of launchctl that change something, as they are typed. */
function changing(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => /^launchctl (?:boot|enable|kick)/.test(line))
    .map((line) => line.replace(/ {2}#.*/, ''))
}

describe('install and uninstall', () => {
  test('install does what the dry run says, again is no harm, uninstall leaves nothing behind', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own, isCopied: false })
    const dry = await scene.oss20bd('install', '--dry-run')
    expect(dry.stdout).toContain('<string>dev.oss20bd.daemon</string>')
    expect(await serviceFiles(scene)).toEqual([])
    const seen = (await scene.calls()).length
    const first = await scene.oss20bd('install')
    expect(first).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Installed:') })
    const made = (await scene.calls()).slice(seen).map(({ args }) => `launchctl ${args.join(' ')}`)
    expect(changing(made)).toEqual(changing(dry.stdout.split('\n')))
    const { daemon } = await scene.untilReady()
    expect(await scene.ask()).toBe(200)
    expect((await stat(scene.plist)).mode & 0o777).toBe(0o644)
    const { stdout } = await scene.launchctl('print', scene.target)
    expect(stdout).toContain(`\tpid = ${daemon.pid}\n`)
    expect(stdout).toContain(`\tprogram = ${scene.home.file('oss', 'service', 'oss20bd')}\n`)

    const again = await scene.oss20bd('install')
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Installed anew:') })
    await scene.untilReady(daemon.pid)
    expect(await isGone(daemon.pid)).toBe(true)

    const removed = await scene.oss20bd('uninstall')
    expect(removed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Removed:') })
    expect(await serviceFiles(scene)).toEqual([])
    expect(await scene.launchctl('print', scene.target)).toMatchObject({ exitCode: 113 })
    await access(scene.home.file('oss', 'models', 'current'))
    await access(scene.home.file('oss', 'config.toml'))
    expect(await scene.oss20bd('uninstall')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('no service is installed'),
    })
  })

  test('the dry run shows the service of either system on any machine, and makes nothing', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own, isCopied: false })
    const linux = await scene.oss20bd('install', '--dry-run', '--for', 'linux')
    expect(linux).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('[Service]') })
    expect(linux.stdout).toMatch(/^systemctl --user .*enable/m)
    const mac = await scene.oss20bd('install', '--dry-run', '--for', 'macos')
    expect(mac.stdout).toContain('<key>ProcessType</key>')
    expect(mac.stdout).toMatch(
      /^launchctl bootstrap gui\/\d+ \/Users\/\w+\/Library\/LaunchAgents\/dev\.oss20bd\.daemon\.plist/m,
    )
    expect(mac.stdout).not.toContain(scene.home.path)
    const json = await scene.oss20bd('install', '--dry-run', '--for', 'macos', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ steps: expect.any(Array) })
    expect(await scene.oss20bd('install', '--for', 'macos')).toMatchObject({ exitCode: 2 })
    expect(await scene.calls()).toEqual([])
    expect(await serviceFiles(scene)).toEqual([])
  })

  test('it takes the place of a daemon in the background; --purge removes all of ours, when told to', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    expect(await scene.oss20bd('start')).toMatchObject({ exitCode: 0 })
    const { daemon } = await scene.status()
    expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
    expect(await isGone(daemon.pid)).toBe(true)
    await scene.untilReady(daemon.pid)
    await writeFile(scene.home.file('oss', 'mine.txt'), 'of the user')
    expect(await scene.oss20bd('uninstall', '--purge')).toMatchObject({ exitCode: 2 })
    await access(scene.plist)
    expect(await scene.oss20bd('uninstall', '--purge', '--yes')).toMatchObject({ exitCode: 0 })
    expect(await readdir(scene.home.file('oss'))).toEqual(['mine.txt'])
  })

  test('soon after a login, when launchd starts nothing by itself, install still starts it', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    await scene.set({ onDemandOnly: true })
    expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
    await scene.untilReady()
  })

  test('switched off in Login Items, install says where to switch it on and puts all back', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    await scene.set({ switchedOff: ['dev.oss20bd.daemon'] })
    expect(await scene.oss20bd('install')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/has been put back[^]*Login Items/),
    })
    expect(await serviceFiles(scene)).toEqual(['programs'])
  })
})

/** One service for all of them; each leaves it running. */
describe('while it is installed', () => {
  const { onFinished: onAllFinished, finish: finishAll } = finishers()
  let scene: LaunchdScene

  beforeAll(async () => {
    scene = await launchdScene({ onTestFinished: onAllFinished, package: own })
    await scene.oss20bd('install')
    await scene.untilReady()
  })

  afterAll(finishAll)

  test('a daemon that was killed comes back, and its engine does not outlive it', async () => {
    const { daemon, engine } = await scene.status()
    process.kill(daemon.pid, 'SIGKILL')
    const after = await scene.untilReady(daemon.pid)
    expect(await isGone(engine.pid ?? 0)).toBe(true)
    expect(await scene.ask()).toBe(200)
    const { stdout } = await scene.launchctl('print', scene.target)
    expect(stdout).toContain('last terminating signal = Killed: 9')
    expect(stdout).toContain(`pid = ${after.daemon.pid}`)
  })

  test('stop ends it until start, also when it was disabled meanwhile', async () => {
    const { daemon } = await scene.untilReady()
    expect(await scene.oss20bd('stop')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('starts again when you log in'),
    })
    expect(await isGone(daemon.pid)).toBe(true)
    await scene.launchctl('disable', scene.target)
    expect(await scene.launchctl('bootstrap', `gui/${scene.uid}`, scene.plist)).toMatchObject({
      exitCode: 119,
    })
    expect(await scene.oss20bd('start')).toMatchObject({ exitCode: 0 })
    const { daemon: second } = await scene.untilReady(daemon.pid)
    expect(await scene.oss20bd('restart')).toMatchObject({ exitCode: 0 })
    expect((await scene.status()).daemon.pid).toBe(second.pid)
  })

  test('a daemon with a bad config stays and says so, and mends itself', async () => {
    const { daemon } = await scene.untilReady()
    await scene.configure({ 'model.slots': 'many' })
    process.kill(daemon.pid, 'SIGKILL')
    expect(await untilTold(scene, /model\.slots/)).toMatchObject({ exitCode: 2 })
    const pid = await pidOf(scene)
    await scene.configure({})
    const after = await scene.untilReady(daemon.pid)
    expect(after.daemon.pid).toBe(pid)
    expect(await readFile(scene.home.file('oss', 'logs', 'launchd.err'), 'utf8')).toMatch(
      /model\.slots/,
    )
  })

  test('a second daemon under launchd waits beside the first, and takes its place when it goes', async () => {
    await scene.oss20bd('stop')
    const first = scene.daemon()
    const gone = once(first, 'exit')
    await scene.until(({ daemon }) => daemon.pid === first.pid)
    await scene.launchctl('bootstrap', `gui/${scene.uid}`, scene.plist)
    await untilFile(scene.home.file('oss', 'logs', 'launchd.err'), /it runs already as pid/)
    expect((await scene.status()).daemon.pid).toBe(first.pid)
    first.kill('SIGTERM')
    await gone
    await scene.untilReady(first.pid)
    const { stdout } = await scene.launchctl('print', scene.target)
    expect(stdout).toContain('\truns = 1\n')
  })
})

async function pidOf(scene: LaunchdScene): Promise<number> {
  const { stdout } = await scene.launchctl('print', scene.target)
  return Number(/\tpid = (\d+)/.exec(stdout)?.[1])
}

const lookEveryMs = 25

async function untilFile(file: string, text: RegExp): Promise<void> {
  while (!text.test(await readFile(file, 'utf8').catch(() => '')))
    await systemClock.sleep(lookEveryMs)
}

/** `oss20bd status` until it complains of that. */
async function untilTold(
  scene: LaunchdScene,
  complaint: RegExp,
): ReturnType<LaunchdScene['oss20bd']> {
  for (;;) {
    const ended = await scene.oss20bd('status')
    if (complaint.test(ended.stderr)) return ended
  }
}
