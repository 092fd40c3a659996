/** What `oss20bd doctor` finds of a service on a Mac, and what `--dry-run --for` prints on any machine. */
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, type TestContext } from 'vitest'
import {
  copyPackage,
  type LaunchdScene,
  launchdScene,
  type Package,
} from '../../helpers/launchd-scene.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

let shared: TempDir
let own: Package

beforeAll(async () => {
  shared = await tempDir()
  own = await copyPackage(shared.file('package'))
}, 180_000)

afterAll(() => shared[Symbol.asyncDispose]())

async function installedScene(
  onTestFinished: TestContext['onTestFinished'],
): Promise<LaunchdScene> {
  const scene = await launchdScene({ onTestFinished, package: own })
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  return scene
}

/** Each finding of the service with the command that mends it; there is at least one. */
async function findings(scene: LaunchdScene): Promise<object> {
  const { exitCode, stdout } = await scene.oss20bd('doctor', '--json')
  const report: { readonly findings: readonly Found[] } = JSON.parse(stdout)
  expect(exitCode).toBe(1)
  const ofService = report.findings.filter(({ part }) => part === 'service')
  return Object.fromEntries(ofService.map(({ id, mend }) => [id, mend]))
}

interface Found {
  readonly part: string
  readonly id: string
  readonly mend: string
}

async function untilPrinted(scene: LaunchdScene, text: string): Promise<void> {
  while (!(await scene.launchctl('print', scene.target)).stdout.includes(text)) await nextTurn()
}

/** A plist of somebody else. */
function plistOf(label: string, program: string): string {
  return (
    `<plist version="1.0"><dict><key>Label</key><string>${label}</string>` +
    `<key>ProgramArguments</key><array><string>${program}</string><string>600</string></array>` +
    '<key>KeepAlive</key><true/></dict></plist>'
  )
}

test('another program under the name of the service; install takes it back', async ({
  onTestFinished,
}) => {
  const scene = await installedScene(onTestFinished)
  await scene.oss20bd('stop')
  const strange = scene.home.file('strange.plist')
  await writeFile(strange, plistOf('dev.oss20bd.daemon', '/bin/sleep'), { mode: 0o644 })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, strange)
  expect(await findings(scene)).toMatchObject({ 'wrong-program': 'oss20bd install' })
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  const { stdout } = await scene.launchctl('print', scene.target)
  expect(stdout).toContain(`\tpath = ${scene.plist}\n`)
})

test('a plist that is gone, that others may write to, of a background kind', async ({
  onTestFinished,
}) => {
  const scene = await installedScene(onTestFinished)
  const written = await readFile(scene.plist, 'utf8')
  await rm(scene.plist)
  expect(await findings(scene)).toMatchObject({ 'plist-gone': 'oss20bd install' })
  await writeFile(scene.plist, written.replace('Interactive', 'Background'))
  await chmod(scene.plist, 0o666)
  expect(await findings(scene)).toEqual({
    'plist-unsafe': 'oss20bd install',
    'wrong-process-type': 'oss20bd install',
    'old-plist': 'oss20bd install',
  })
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  const { stdout } = await scene.oss20bd('doctor', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ findings: [] })
})

test('a program that is gone, Homebrew and a leftover beside it', async ({ onTestFinished }) => {
  const scene = await installedScene(onTestFinished)
  const brewed = scene.home.file('Library', 'LaunchAgents', 'homebrew.mxcl.oss20bd.plist')
  await writeFile(brewed, plistOf('homebrew.mxcl.oss20bd', '/bin/sleep'), { mode: 0o644 })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, brewed)
  const old = scene.home.file('Library', 'LaunchAgents', 'old.oss20bd.plist')
  await writeFile(old, plistOf('old.oss20bd', '/opt/old/oss20bd'), { mode: 0o644 })
  await writeFile(scene.home.file('oss', 'service', 'package-path'), '/gone/program\n')
  expect(await findings(scene)).toEqual({
    'program-gone': 'oss20bd install',
    'homebrew-service': 'brew services stop oss20bd',
    leftover: `launchctl bootout gui/$(id -u)/old.oss20bd; rm ${old}`,
  })
  expect(await scene.oss20bd('install')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('brew services stop oss20bd'),
  })
})

test('a session in which nothing starts by itself, and none at the screen', async ({
  onTestFinished,
}) => {
  const scene = await installedScene(onTestFinished)
  await scene.oss20bd('stop')
  await scene.set({ onDemandOnly: true })
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, scene.plist)
  expect(await findings(scene)).toEqual({ 'on-demand-only': 'oss20bd start' })
  expect(await scene.oss20bd('start')).toMatchObject({ exitCode: 0 })
  await scene.set({ failures: [{ verb: 'print', code: 112, times: 100 }] })
  expect(await findings(scene)).toEqual({ 'no-session': 'sudo oss20bd install --system' })
})

test('a daemon that dies again and again, and a model that macOS keeps from a service', async ({
  onTestFinished,
}) => {
  const scene = await launchdScene({ onTestFinished, package: own, secondMs: 2000 })
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  const model = scene.home.file('Downloads', 'it.gguf')
  await mkdir(scene.home.file('Downloads'))
  await rename(scene.home.file('oss', 'models', 'current'), model)
  await symlink(model, scene.home.file('oss', 'models', 'current'))
  await writeFile(scene.home.file('oss', 'service', 'oss20bd'), '#!/bin/sh\nexit 1\n')
  process.kill((await scene.status()).daemon.pid, 'SIGKILL')
  await untilPrinted(scene, '\tstate = spawn scheduled\n')
  expect(await findings(scene)).toMatchObject({
    throttled: 'oss20bd logs -n 50',
    'private-model': expect.stringContaining(`mv ${model} `),
  })
})

test.for([
  ['macos', '<key>ProcessType</key>', /^launchctl bootstrap gui\/\d+ \/Users\//m],
  ['linux', '[Service]', /^systemctl --user .*enable/m],
] as const)(
  '--dry-run --for %s prints the file and each command, and makes nothing',
  async ([system, text, command], { onTestFinished }) => {
    const scene = await launchdScene({ onTestFinished, package: own, isCopied: false })
    const { exitCode, stdout } = await scene.oss20bd('install', '--dry-run', '--for', system)
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0 })
    expect(stdout).toContain(text)
    expect(stdout).toMatch(command)
    expect(await scene.calls()).toEqual([])
    expect(await scene.oss20bd('install', '--for', system)).toMatchObject({ exitCode: 2 })
  },
)
