/** The life of the service on a Mac: the real CLI, shim and daemon, and a launchctl that stands in. */
import { access, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isGone } from '../../../src/cli/process-gone.ts'
import {
  changedPackage,
  copyPackage,
  type LaunchdScene,
  launchdScene,
  type LaunchdSceneOptions,
  type Package,
} from '../../helpers/launchd-scene.ts'
import { type Puppet, type PuppetControl, startPuppetControl } from '../../helpers/puppet.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

let shared: TempDir
let own: Package

beforeAll(async () => {
  shared = await tempDir()
  own = await copyPackage(shared.file('package'))
}, 180_000)

afterAll(() => shared[Symbol.asyncDispose]())

type Given = Partial<LaunchdSceneOptions> & Pick<LaunchdSceneOptions, 'onTestFinished'>

/** A scene in which the service is installed and the engine ready. */
async function installedScene(given: Given): Promise<LaunchdScene> {
  const scene = await launchdScene({ package: own, ...given })
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  await scene.untilReady()
  return scene
}

/** Everything under the home that is not the user's own or the daemon's. */
async function serviceFiles(scene: LaunchdScene): Promise<readonly string[]> {
  const names = await readdir(scene.home.path, { recursive: true })
  return names.filter((name) => /LaunchAgents\/|oss\/service|launchd\.err/.test(name))
}

/** This package as another version, or with a daemon that ends at once. */
async function nextVersion(name: string, version: string, daemon?: string): Promise<Package> {
  const manifest = JSON.parse(await readFile(join(own.folder, 'package.json'), 'utf8'))
  return changedPackage(own, shared.file(name), {
    'package.json': JSON.stringify({ ...manifest, version }),
    ...(daemon === undefined ? {} : { 'dist/cli/commands/daemon.js': daemon }),
  })
}

describe('install and uninstall', () => {
  test('install runs the daemon, again is no harm, uninstall leaves nothing behind', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own, isCopied: false })
    const first = await scene.oss20bd('install')
    expect(first).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Installed:') })
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

  test('the dry run changes nothing, and names each call of launchctl that install makes', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    const before = await serviceFiles(scene)
    const dry = await scene.oss20bd('install', '--dry-run')
    expect(await serviceFiles(scene)).toEqual(before)
    const told = dry.stdout
      .split('\n')
      .filter((line) => /^launchctl (?:boot|enable|kick)/.test(line))
      .map((line) => line.replace(/ {2}#.*/, ''))
    const seen = (await scene.calls()).length
    await scene.oss20bd('install')
    const made = (await scene.calls())
      .slice(seen)
      .map(({ args }) => `launchctl ${args.join(' ')}`)
      .filter((line) => /^launchctl (?:boot|enable|kick)/.test(line))
    expect(told).toEqual(made)
    expect(dry.stdout).toContain('<string>dev.oss20bd.daemon</string>')
  })

  test('the dry run shows the service of the other system on any machine', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    const linux = await scene.oss20bd('install', '--dry-run', '--for', 'linux')
    expect(linux).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('[Service]') })
    expect(linux.stdout).toContain('systemctl --user')
    const mac = await scene.oss20bd('install', '--dry-run', '--for', 'macos', '--json')
    const { steps }: { readonly steps: readonly { readonly path?: string }[] } = JSON.parse(
      mac.stdout,
    )
    expect(steps.map(({ path }) => path)).toContainEqual(
      expect.stringMatching(/^\/Users\/\w+\/Library\/LaunchAgents\/dev\.oss20bd\.daemon\.plist$/),
    )
    expect(mac.stdout).not.toContain(scene.home.path)
    expect(await scene.oss20bd('install', '--for', 'macos')).toMatchObject({ exitCode: 2 })
  })

  test('--purge does not go on without a terminal or --yes, and then removes all of ours', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
    await writeFile(scene.home.file('oss', 'mine.txt'), 'of the user')
    expect(await scene.oss20bd('uninstall', '--purge')).toMatchObject({ exitCode: 2 })
    await access(scene.plist)
    expect(await scene.oss20bd('uninstall', '--purge', '--yes')).toMatchObject({ exitCode: 0 })
    expect(await readdir(scene.home.file('oss'))).toEqual(['mine.txt'])
  })

  test('it takes the place of a daemon that was started in the background', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    expect(await scene.oss20bd('start')).toMatchObject({ exitCode: 0 })
    const { daemon } = await scene.status()
    expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
    expect(await isGone(daemon.pid)).toBe(true)
    await scene.untilReady(daemon.pid)
    expect(await scene.oss20bd('stop')).toMatchObject({ exitCode: 0 })
    expect(await scene.launchctl('print', scene.target)).toMatchObject({ exitCode: 113 })
  })
})

describe('while it is installed', () => {
  test('a daemon that was killed comes back, and its engine does not outlive it', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
    const { daemon, engine } = await scene.status()
    process.kill(daemon.pid, 'SIGKILL')
    const after = await scene.untilReady(daemon.pid)
    expect(await isGone(engine.pid ?? 0)).toBe(true)
    expect(await scene.ask()).toBe(200)
    const { stdout } = await scene.launchctl('print', scene.target)
    expect(stdout).toContain('last terminating signal = Killed: 9')
    expect(stdout).toContain(`pid = ${after.daemon.pid}`)
  })

  test('stop ends it until start, also when it was disabled meanwhile', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
    const { daemon } = await scene.status()
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
    expect(await scene.oss20bd('restart', '--daemon')).toMatchObject({ exitCode: 0 })
    expect((await scene.status()).daemon.pid).not.toBe(second.pid)
  })

  test('a daemon with a bad config stays and says so, and mends itself', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
    const { daemon } = await scene.status()
    await scene.configure({ 'model.slots': 'many' })
    process.kill(daemon.pid, 'SIGKILL')
    const told = await untilTold(scene, /model\.slots/)
    expect(told.exitCode).toBe(2)
    const pidLine = /\tpid = (\d+)/
    const pid = pidLine.exec((await scene.launchctl('print', scene.target)).stdout)?.[1]
    await scene.configure({})
    const after = await scene.untilReady(daemon.pid)
    expect(String(after.daemon.pid)).toBe(pid)
    expect(await readFile(scene.home.file('oss', 'logs', 'launchd.err'), 'utf8')).toMatch(
      /model\.slots/,
    )
  })

  test('a second daemon under launchd waits beside the first, and takes its place when it goes', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
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
    const scene = await launchdScene({ onTestFinished, package: own, isCopied: false })
    await scene.set({ switchedOff: ['dev.oss20bd.daemon'] })
    expect(await scene.oss20bd('install')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/has been put back[^]*Login Items/),
    })
    expect((await serviceFiles(scene)).filter((name) => /oss20bd$|plist$/.test(name))).toEqual([])
  })
})

describe('an upgrade', () => {
  test('install swaps to the new version; an answer that is on its way is finished first', async ({
    onTestFinished,
  }) => {
    const puppets = await startPuppetControl()
    onTestFinished(() => puppets[Symbol.asyncDispose]())
    const next = await nextVersion('next', '9.0.0')
    const scene = await launchdScene({ onTestFinished, package: own })
    await scene.putCopy(next)
    await scene.configure({
      'engine.extraArgs': ['--puppet-control', puppets.path],
      'engine.drainTimeout': '20s',
    })
    const [first] = await Promise.all([takeReady(puppets), scene.oss20bd('install')])
    await scene.untilReady()
    await first.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.ask()
    const request = await first.onRequest('/v1/chat/completions')
    const installed = scene.oss20bdOf(next, 'install')
    await untilCalled(scene, 'bootout', 2)
    await request.head(200, { 'content-type': 'application/json' })
    await request.write('{}')
    await request.end()
    expect(await asked).toBe(200)
    await takeReady(puppets)
    expect(await installed).toMatchObject({ exitCode: 0 })
    expect((await scene.untilReady()).daemon.version).toBe('9.0.0')
    expect(await readdir(scene.home.file('oss', 'service', 'programs'))).toEqual([next.name])
  })

  test('an app that tries again, as the libraries do, has its answer when the swap is over', async ({
    onTestFinished,
  }) => {
    const next = await nextVersion('after', '9.1.0')
    const scene = await installedScene({ onTestFinished })
    await scene.putCopy(next)
    const over = new AbortController()
    const installed = scene.oss20bdOf(next, 'install').finally(() => over.abort())
    const seen: (number | 'refused')[] = []
    while (!over.signal.aborted || seen.at(-1) !== 200) {
      seen.push(await scene.ask().catch(() => 'refused' as const))
    }
    expect(await installed).toMatchObject({ exitCode: 0 })
    // Both are what a library tries again by itself.
    expect(new Set([...seen, 200, 503, 'refused'])).toEqual(new Set([200, 503, 'refused']))
  })

  test('a new version that does not come up is taken back, and the old one answers again', async ({
    onTestFinished,
  }) => {
    const broken = await nextVersion('broken', '9.9.9', 'process.exit(70)\n')
    // Long enough to be seen dead between two starts.
    const scene = await installedScene({ onTestFinished, secondMs: 100 })
    const before = await readFile(scene.plist, 'utf8')
    await scene.putCopy(broken)
    const { version } = (await scene.status()).daemon
    expect(await scene.oss20bdOf(broken, 'install')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/last exit 70; what was there before has been put back/),
    })
    expect((await scene.untilReady()).daemon.version).toBe(version)
    expect(await readFile(scene.plist, 'utf8')).toBe(before)
    expect(await scene.ask()).toBe(200)
  })

  test('what npm removes under a running service does not touch it', async ({ onTestFinished }) => {
    const passing = await nextVersion('passing', '8.0.0')
    const scene = await installedScene({ onTestFinished, package: passing })
    const { daemon } = await scene.status()
    await rm(passing.folder, { recursive: true })
    process.kill(daemon.pid, 'SIGKILL')
    await scene.untilReady(daemon.pid)
    expect(await scene.ask()).toBe(200)
  })
})

describe('oss20bd doctor', () => {
  test('all is well after an install, and what breaks later is found with its remedy', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
    expect(await findings(scene)).toEqual({})
    await rm(scene.home.file('oss', 'service', 'oss20bd'))
    await writeFile(scene.home.file('oss', 'service', 'node-path'), '/gone/node\n')
    const plist = await readFile(scene.plist, 'utf8')
    await writeFile(scene.plist, plist.replace('<integer>10<', '<integer>30<'))
    expect(await findings(scene)).toEqual({
      'plist-changed': 'oss20bd restart --daemon',
      'old-plist': 'oss20bd install',
      'shim-gone': 'oss20bd install',
      'node-gone': 'oss20bd install',
    })
    const { stdout } = await scene.oss20bd('doctor')
    expect(stdout).toMatch(/mend: oss20bd install[^]*things are wrong/)
    expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
    expect(await findings(scene)).toEqual({})
  }, 120_000)

  test('a service that is stopped, disabled, or without its log folder', async ({
    onTestFinished,
  }) => {
    const scene = await installedScene({ onTestFinished })
    await scene.oss20bd('stop')
    expect(await findings(scene)).toEqual({ 'not-loaded': 'oss20bd start' })
    await scene.launchctl('disable', scene.target)
    expect(await findings(scene)).toEqual({ disabled: 'oss20bd start' })
    await rm(scene.home.file('oss', 'logs'), { recursive: true })
    await scene.launchctl('enable', scene.target)
    await scene.launchctl('bootstrap', `gui/${scene.uid}`, scene.plist)
    expect(await findings(scene)).toEqual({
      'penalty-box': 'oss20bd install',
      'log-folder-missing': 'oss20bd install',
    })
    expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
    expect(await findings(scene)).toEqual({})
  }, 120_000)

  test('where none was ever installed nothing is wrong', async ({ onTestFinished }) => {
    const scene = await launchdScene({ onTestFinished, package: own })
    expect(await findings(scene)).toEqual({})
  })
})

/** Each finding of the service with the command that mends it. */
async function findings(scene: LaunchdScene): Promise<object> {
  const { exitCode, stdout } = await scene.oss20bd('doctor', '--json')
  const report: { readonly ok: boolean; readonly findings: readonly Found[] } = JSON.parse(stdout)
  expect(exitCode).toBe(report.ok ? 0 : 1)
  expect(report.ok).toBe(report.findings.length === 0)
  const ofService = report.findings.filter(({ part }) => part === 'service')
  return Object.fromEntries(ofService.map(({ id, mend }) => [id, mend]))
}

interface Found {
  readonly part: string
  readonly id: string
  readonly mend: string
}

/** The next engine, which says that it is loaded. */
async function takeReady(puppets: PuppetControl): Promise<Puppet> {
  const puppet = await puppets.next()
  await puppet.listening
  await puppet.ready()
  return puppet
}

async function untilFile(file: string, text: RegExp): Promise<void> {
  while (!text.test(await readFile(file, 'utf8').catch(() => ''))) await nextTurn()
}

async function untilCalled(scene: LaunchdScene, verb: string, times: number): Promise<void> {
  while ((await scene.calls()).filter(({ args }) => args[0] === verb).length < times)
    await nextTurn()
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
