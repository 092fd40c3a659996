/** What `oss20bd doctor` finds of a service on a Mac, each with the command that mends it. */
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createContext } from '../../../src/cli/context.ts'
import { examineService } from '../../../src/cli/doctor/service.ts'
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
/** One service for all of them; each leaves it as `install` does. */
let scene: LaunchdScene

beforeAll(async () => {
  const shared = await tempDir()
  onFinished(() => shared[Symbol.asyncDispose]())
  own = await copyPackage(shared.file('package'))
  // A second is long enough to be seen between two starts.
  scene = await launchdScene({ onTestFinished: onFinished, package: own, secondMs: 300 })
})

beforeEach(() => {
  for (const [name, value] of Object.entries(scene.environment())) vi.stubEnv(name, value)
})

afterEach(() => vi.unstubAllEnvs())

afterAll(finish)

/** As the command asks, without the other parts of the doctor. */
async function findings(): Promise<object> {
  const context = createContext({ json: false, configFile: null, flags: {} })
  const examined = await examineService({ ...context, root: own.folder })
  return Object.fromEntries(examined.findings.map((one) => [one.id, one.mend]))
}

async function mend(): Promise<void> {
  const { exitCode, stderr } = await scene.oss20bd('install')
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
  expect(await findings()).toEqual({})
}

/** A plist of somebody else. */
function plistOf(label: string, program: string): string {
  return (
    `<plist version="1.0"><dict><key>Label</key><string>${label}</string>` +
    `<key>ProgramArguments</key><array><string>${program}</string><string>600</string></array>` +
    '<key>KeepAlive</key><true/></dict></plist>'
  )
}

test('where none was ever installed nothing is wrong, nor after an install', async () => {
  expect(await findings()).toEqual({})
  await mend()
})

test('what is missing or was changed after it was loaded; the command itself says so', async () => {
  await rm(scene.home.file('oss', 'service', 'oss20bd'))
  await writeFile(scene.home.file('oss', 'service', 'node-path'), '/gone/node\n')
  await writeFile(scene.home.file('oss', 'service', 'package-path'), '/gone/program\n')
  const plist = await readFile(scene.plist, 'utf8')
  await writeFile(scene.plist, plist.replace('<integer>10<', '<integer>30<'))
  const found = {
    'plist-changed': 'oss20bd restart --daemon',
    'old-plist': 'oss20bd install',
    'shim-gone': 'oss20bd install',
    'program-gone': 'oss20bd install',
    'node-gone': 'oss20bd install',
  }
  expect(await findings()).toEqual(found)
  const { exitCode, stdout } = await scene.oss20bd('doctor', '--json')
  const report: { readonly ok: boolean; readonly findings: readonly { id: string }[] } =
    JSON.parse(stdout)
  expect({ exitCode, ok: report.ok }).toEqual({ exitCode: 1, ok: false })
  expect(report.findings.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.keys(found)))
  await mend()
})

test('a plist that is gone, that others may write to, of a background kind', async () => {
  const written = await readFile(scene.plist, 'utf8')
  await rm(scene.plist)
  expect(await findings()).toMatchObject({ 'plist-gone': 'oss20bd install' })
  await writeFile(scene.plist, written.replace('Interactive', 'Background'))
  await chmod(scene.plist, 0o666)
  expect(await findings()).toEqual({
    'plist-unsafe': 'oss20bd install',
    'wrong-process-type': 'oss20bd install',
    'old-plist': 'oss20bd install',
  })
  await mend()
})

test('Homebrew and a leftover beside it; install is refused while Homebrew runs it', async () => {
  const agents = (name: string): string => scene.home.file('Library', 'LaunchAgents', name)
  const brewed = agents('homebrew.mxcl.oss20bd.plist')
  await writeFile(brewed, plistOf('homebrew.mxcl.oss20bd', '/bin/sleep'), { mode: 0o644 })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, brewed)
  const old = agents('old.oss20bd.plist')
  await writeFile(old, plistOf('old.oss20bd', '/opt/old/oss20bd'), { mode: 0o644 })
  expect(await findings()).toEqual({
    'homebrew-service': 'brew services stop oss20bd',
    leftover: `launchctl bootout gui/$(id -u)/old.oss20bd; rm ${old}`,
  })
  expect(await scene.oss20bd('install')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('brew services stop oss20bd'),
  })
  await scene.launchctl('bootout', `gui/${scene.uid}/homebrew.mxcl.oss20bd`)
  await Promise.all([rm(brewed), rm(old)])
})

test('stopped, disabled, nothing that starts by itself, no log folder, nobody at the screen', async () => {
  await scene.oss20bd('stop')
  expect(await findings()).toEqual({ 'not-loaded': 'oss20bd start' })
  await scene.launchctl('disable', scene.target)
  expect(await findings()).toEqual({ disabled: 'oss20bd start' })
  await scene.launchctl('enable', scene.target)
  await scene.set({ onDemandOnly: true })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, scene.plist)
  expect(await findings()).toEqual({ 'on-demand-only': 'oss20bd start' })
  await scene.set({ onDemandOnly: false })
  await scene.launchctl('bootout', scene.target)
  await rm(scene.home.file('oss', 'logs'), { recursive: true })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, scene.plist)
  expect(await findings()).toEqual({
    'penalty-box': 'oss20bd install',
    'log-folder-missing': 'oss20bd install',
  })
  await scene.set({ failures: [{ verb: 'print', code: 112, times: 100 }] })
  expect(await findings()).toMatchObject({ 'no-session': 'sudo oss20bd install --system' })
  await scene.set({ failures: [] })
})

test('another program under the name of the service; install takes it back', async () => {
  await scene.launchctl('bootout', scene.target)
  const strange = scene.home.file('strange.plist')
  await writeFile(strange, plistOf('dev.oss20bd.daemon', '/bin/sleep'), { mode: 0o644 })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, strange)
  expect(await findings()).toMatchObject({ 'wrong-program': 'oss20bd install' })
  await mend()
  const { stdout } = await scene.launchctl('print', scene.target)
  expect(stdout).toContain(`\tpath = ${scene.plist}\n`)
})

test.for([
  ['ends at once', 'exit 1', '\tstate = spawn scheduled\n'],
  ['crashes', 'kill -ABRT $$', '\tsuccessive crashes = 2\n'],
] as const)(
  'a daemon that %s again and again, and a model that macOS keeps from a service, also when it is gone',
  async ([, death, printed]) => {
    const model = scene.home.file('Downloads', 'it.gguf')
    await mkdir(scene.home.file('Downloads'), { recursive: true })
    await rm(scene.home.file('oss', 'models', 'current'), { force: true })
    await symlink(model, scene.home.file('oss', 'models', 'current'))
    await writeFile(scene.home.file('oss', 'service', 'oss20bd'), `#!/bin/sh\n${death}\n`)
    const { stdout } = await scene.launchctl('print', scene.target)
    const pid = Number(/\tpid = (\d+)/.exec(stdout)?.[1])
    if (pid > 0) process.kill(pid, 'SIGKILL')
    await scene.untilPrinted(printed)
    await scene.untilPrinted('\tstate = spawn scheduled\n')
    expect(await findings()).toMatchObject({
      throttled: 'oss20bd logs -n 50',
      'private-model': expect.stringContaining(`mv ${model} `),
    })
  },
)
