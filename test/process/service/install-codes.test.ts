/** `oss20bd install` when launchctl answers with each of the exit codes that it is known for. */
import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  copyPackage,
  finishers,
  type LaunchdScene,
  launchdScene,
} from '../../helpers/launchd-scene.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const { onFinished, finish } = finishers()
let scene: LaunchdScene

beforeAll(async () => {
  const shared = await tempDir()
  onFinished(() => shared[Symbol.asyncDispose]())
  const own = await copyPackage(shared.file('package'))
  scene = await launchdScene({ onTestFinished: onFinished, package: own })
})

afterAll(finish)

/** Each ends the install at once; what launchctl might mend by itself is in launchctl-codes.test.ts. */
const endings = [
  ['bootstrap', 17, 'a service of this name is loaded already', 'oss20bd install'],
  ['bootstrap', 110, 'launchd cannot read the plist', 'oss20bd install'],
  ['bootstrap', 111, 'launchd cannot read the plist', 'oss20bd install'],
  ['bootstrap', 112, 'you have no session at the screen', 'sudo oss20bd install --system'],
  ['bootstrap', 119, 'the service is disabled', 'oss20bd start'],
  ['bootstrap', 122, 'belongs to somebody else', 'sudo install -d -o "$(id -un)"'],
  ['bootstrap', 124, 'you are being logged out', 'Log in'],
  ['bootstrap', 125, 'this session cannot have services', 'in the Terminal of the Mac itself'],
  ['bootstrap', 133, 'launchd names several faults', 'oss20bd doctor'],
  ['bootstrap', 134, 'not meant for this kind of session', 'sudo oss20bd install --system'],
  ['bootstrap', 155, 'is quarantined', 'xattr -dr com.apple.quarantine'],
  ['bootout', 125, 'this session cannot have services', 'in the Terminal of the Mac itself'],
  ['enable', 125, 'this session cannot have services', 'in the Terminal of the Mac itself'],
  ['kickstart', 113, 'launchd does not know the service', 'Login Items'],
] as const

test.for(endings)(
  '%s answers %d: it says why, names one remedy, and leaves nothing behind',
  async ([verb, code, why, remedy]) => {
    await scene.set({ failures: [{ verb, code, times: 1 }] })
    const { exitCode, stderr } = await scene.oss20bd('install')
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1 })
    expect(stderr).toContain(why)
    expect(stderr).toContain(`(launchctl: ${code}); what was there before has been put back`)
    expect(stderr).toContain(remedy)
    expect(await readdir(scene.home.file('Library', 'LaunchAgents'))).toEqual([])
    expect(await readdir(scene.home.file('oss', 'service'))).toEqual(['programs'])
    expect(await scene.launchctl('print', scene.target)).toMatchObject({ exitCode: 113 })
  },
)

test('what passes by itself is waited for: bootout 36, bootstrap 5, 36 and 37, kickstart 37', async () => {
  const passing = [
    ['bootout', 36],
    ['bootstrap', 5],
    ['bootstrap', 36],
    ['bootstrap', 37],
    ['kickstart', 37],
  ] as const
  await scene.set({ failures: passing.map(([verb, code]) => ({ verb, code, times: 1 })) })
  const seen = (await scene.calls()).length
  expect(await scene.oss20bd('install')).toMatchObject({ exitCode: 0 })
  const calls = (await scene.calls()).slice(seen)
  const codes = calls.filter(({ args }) => args[0] === 'bootstrap').map(({ code }) => code)
  expect(codes).toEqual([5, 36, 37, 0])
  expect(await scene.oss20bd('uninstall')).toMatchObject({ exitCode: 0 })
})
