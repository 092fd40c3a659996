/** The service of the whole Mac, installed by root and run as a user: `oss20bd install --system`. */
import { existsSync } from 'node:fs'
import { access, chmod, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { execa } from 'execa'
import { describe, expect, test, type TestContext } from 'vitest'
import { isGone } from '../../../src/cli/process-gone.ts'
import { copyPackage, type LaunchdScene, launchdScene } from '../../helpers/launchd-scene.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

/** A user that every Linux has, with a home that is nobody's. */
const user = { name: 'daemon', home: '/usr/sbin' }
const plist = '/Library/LaunchDaemons/dev.oss20bd.daemon.plist'
const target = 'system/dev.oss20bd.daemon'

const isRoot = process.getuid?.() === 0
const missing = isRoot ? (existsSync('/Library') ? '/Library is in use' : null) : 'needs root'
const leftOut = missing === null ? '' : ` (left out: ${missing})`

/** What sudo makes of the shell of that user. */
async function sudoScene(
  onTestFinished: TestContext['onTestFinished'],
  env: Readonly<Record<string, string>> = {},
): Promise<LaunchdScene> {
  onTestFinished(() => rm('/Library', { recursive: true, force: true }))
  const shared = await tempDir()
  onTestFinished(() => shared[Symbol.asyncDispose]())
  const own = await copyPackage(shared.file('package'))
  const { stdout: uid } = await execa('id', ['-u', user.name])
  const scene = await launchdScene({
    onTestFinished,
    package: own,
    isCopied: false,
    env: { SUDO_USER: user.name, SUDO_UID: uid, ...env },
  })
  // As that user has it: the home of the test is root's alone.
  await chmod(scene.home.path, 0o711)
  await execa('chown', ['-R', user.name, scene.home.file('oss')])
  return scene
}

describe.skipIf(missing !== null)(`oss20bd install --system${leftOut}`, () => {
  test('root installs it, it runs as the user, and root removes it', async ({ onTestFinished }) => {
    const scene = await sudoScene(onTestFinished)
    const installed = await scene.oss20bd('install', '--system')
    expect(installed).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('starts when the machine starts'),
    })
    expect(await readFile(plist, 'utf8')).toMatch(/<key>UserName<\/key>\s*<string>daemon<\/string>/)
    expect(await stat(plist)).toMatchObject({ uid: 0 })
    const { daemon } = await scene.untilReady()
    const { stdout: runsAs } = await execa('ps', ['-o', 'user=', '-p', String(daemon.pid)])
    expect(runsAs.trim()).toBe(user.name)
    expect(await scene.ask()).toBe(200)
    expect((await scene.launchctl('print', target)).stdout).toContain('type = LaunchDaemon')
    expect(await scene.oss20bd('status')).toMatchObject({ exitCode: 0 })

    expect(await scene.oss20bd('stop')).toMatchObject({ exitCode: 0 })
    expect(await isGone(daemon.pid)).toBe(true)
    expect(await scene.oss20bd('start')).toMatchObject({ exitCode: 0 })
    await scene.untilReady(daemon.pid)

    expect(await scene.oss20bd('uninstall', '--system')).toMatchObject({ exitCode: 0 })
    await expect(access(plist)).rejects.toThrow('ENOENT')
    expect(await scene.launchctl('print', target)).toMatchObject({ exitCode: 113 })
    expect(await readdir(scene.home.file('oss'))).not.toContain('service')
    await access(scene.home.file('oss', 'models', 'current'))
  })

  test('what FileVault locks until somebody logs in is refused, with the place and the way out', async ({
    onTestFinished,
  }) => {
    const scene = await sudoScene(onTestFinished, { FILEVAULT_STAND_IN: 'On' })
    await rm(scene.home.file('oss', 'models', 'current'))
    await symlink(`${user.home}/it.gguf`, scene.home.file('oss', 'models', 'current'))
    const refused = await scene.oss20bd('install', '--system')
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`FileVault is on, and ${user.home}/it.gguf is in a home`),
    })
    expect(refused.stderr).toContain('sudo OSS20BD_HOME=')
    await expect(access(plist)).rejects.toThrow('ENOENT')
    expect(await scene.calls()).not.toContainEqual(
      expect.objectContaining({ args: expect.arrayContaining(['bootstrap']) }),
    )
  })

  test('root itself is nobody to run it as', async ({ onTestFinished }) => {
    const scene = await sudoScene(onTestFinished, { SUDO_USER: '', SUDO_UID: '' })
    expect(await scene.oss20bd('install', '--system')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('run the same command with sudo before it'),
    })
  })
})
