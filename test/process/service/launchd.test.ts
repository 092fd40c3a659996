/** The life of the service on launchd's side: the real CLI, shim and daemon, and a launchctl that stands in. */
import { access, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isGone } from '../../../src/cli/process-gone.ts'
import { launchdScene } from '../../helpers/launchd-scene.ts'

describe('oss20bd install', () => {
  test('it runs the daemon under launchd, and again as often as it is asked', async ({
    onTestFinished,
  }) => {
    const scene = await launchdScene(onTestFinished)
    const first = await scene.oss20bd('install')
    expect(first).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Installed:') })
    const ready = await scene.untilReady()
    expect(await scene.ask()).toBe(200)
    expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
    const again = await scene.untilReady(ready.daemon.pid)
    expect(again.daemon.pid).not.toBe(ready.daemon.pid)
    expect((await stat(scene.plist)).mode & 0o777).toBe(0o644)
  })
})
