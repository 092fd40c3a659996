/** Every exit code that launchctl is known for, met by the plans of launchd with a small real program. */
import { access, chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { expect, test, type TestContext } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { type CarriedOut, carryOut, type CarryOutDoors } from '../../../src/service/carry-out.ts'
import { launchd } from '../../../src/service/launchd.ts'
import {
  NOTHING_FOUND,
  type Found,
  type RunCommand,
  type ServiceSpec,
  type ServiceVerb,
} from '../../../src/service/service.ts'
import { type LaunchdScene, launchdScene } from '../../helpers/launchd-scene.ts'
import { macSpec } from '../../helpers/service-spec.ts'

interface Rig {
  readonly scene: LaunchdScene
  readonly spec: ServiceSpec
  readonly carry: (verb: ServiceVerb, found?: Partial<Found>) => Promise<CarriedOut>
}

/** Sleeps as long as it must and not a moment longer: the limits are minutes. */
function quickClock(): CarryOutDoors['clock'] {
  let aheadMs = 0
  return {
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    sleep: async (delayMs) => {
      aheadMs += delayMs * 0.98
      await systemClock.sleep(delayMs * 0.02)
    },
  }
}

async function rig(onTestFinished: TestContext['onTestFinished']): Promise<Rig> {
  const program = { folder: '/nowhere', name: '1-a' }
  const scene = await launchdScene({ onTestFinished, package: program, isCopied: false })
  const from = scene.home.file('program')
  await mkdir(scene.home.file('program', 'bin'), { recursive: true })
  await writeFile(`${from}/package.json`, JSON.stringify({ version: '1', files: ['bin'] }))
  await writeFile(`${from}/bin/oss20bd`, '')
  const spec = macSpec({
    user: { name: 'ada', uid: scene.uid, home: scene.home.path },
    folders: { home: scene.home.file('oss'), logs: scene.home.file('oss', 'logs') },
    program: { from, name: '1-a' },
    environment: { PATH: '/usr/bin:/bin', HOME: scene.home.path },
    // All that matters here is that it runs.
    shim: '#!/bin/sh\nexec sleep 600\n',
  })
  const run: RunCommand = async ([, ...args]) => {
    const { exitCode, stdout, stderr } = await scene.launchctl(...args)
    return { exitCode, stdout, stderr }
  }
  const daemon = {
    handOver: () => Promise.resolve(),
    end: () => Promise.resolve(true),
    startInBackground: () => Promise.resolve(),
    answers: () => Promise.resolve(true),
  }
  const doors = { run, clock: quickClock(), onStep: () => undefined, daemon }
  const carry: Rig['carry'] = (verb, found = {}) =>
    carryOut(launchd.plan(verb, spec, { ...NOTHING_FOUND, ...found }), doors)
  return { scene, spec, carry }
}

async function codesOf(scene: LaunchdScene, verb: string): Promise<readonly number[]> {
  const calls = await scene.calls()
  return calls.filter(({ args }) => args[0] === verb).map(({ code }) => code)
}

async function installed(spec: ServiceSpec): Promise<Partial<Found>> {
  const files = new Map<string, string>()
  for (const file of launchd.files(spec)) files.set(file, await readFile(file, 'utf8'))
  return { files, programs: ['1-a'], loaded: true }
}

test.for([5, 36, 37])(
  'bootstrap answers %d for longer than anything may take: nothing is left, and it is said why',
  async (code, { onTestFinished }) => {
    const { scene, spec, carry } = await rig(onTestFinished)
    await scene.set({ failures: [{ verb: 'bootstrap', code, times: 1000 }] })
    expect(await carry('install')).toMatchObject({
      kind: 'failed',
      step: { command: expect.arrayContaining(['bootstrap']) },
      failure: { message: expect.stringContaining(`(launchctl: ${code})`) },
      after: { kind: 'restored' },
    })
    for (const file of launchd.files(spec)) await expect(access(file)).rejects.toThrow('ENOENT')
  },
)

test('install over one that runs waits for its end, though bootout returns before', async ({
  onTestFinished,
}) => {
  const { scene, spec, carry } = await rig(onTestFinished)
  await carry('install')
  expect(await carry('install', await installed(spec))).toEqual({ kind: 'done' })
  expect(await codesOf(scene, 'bootstrap')).toEqual([0, 0])
  const prints = await codesOf(scene, 'print')
  expect(prints.at(-1)).toBe(0)
  expect(prints).toContain(113)
})

test('an install that fails leaves the service that was there running, by its old plist', async ({
  onTestFinished,
}) => {
  const { scene, spec, carry } = await rig(onTestFinished)
  await carry('install')
  const before = await installed(spec)
  const plist = launchd.unitFile(spec)
  await writeFile(plist, (await readFile(plist, 'utf8')).replace('<integer>63', '<integer>18'))
  const old = await installed(spec)
  await scene.set({ failures: [{ verb: 'bootstrap', code: 155, times: 1 }] })
  expect(await carry('install', old)).toMatchObject({ after: { kind: 'restored' } })
  expect(await readFile(plist, 'utf8')).toBe(old.files?.get(plist))
  expect(old.files?.get(plist)).not.toBe(before.files?.get(plist))
  expect((await scene.launchctl('print', scene.target)).stdout).toContain('\tpid = ')
})

test('a job of the same label from another plist is replaced, not started with its old program', async ({
  onTestFinished,
}) => {
  const { scene, spec, carry } = await rig(onTestFinished)
  const strange = scene.home.file('strange.plist')
  await writeFile(
    strange,
    '<plist version="1.0"><dict><key>Label</key><string>dev.oss20bd.daemon</string>' +
      '<key>ProgramArguments</key><array><string>/bin/sleep</string><string>600</string></array>' +
      '<key>KeepAlive</key><true/></dict></plist>',
  )
  await chmod(strange, 0o644)
  await scene.launchctl('bootstrap', `gui/${scene.uid}`, strange)
  expect(await carry('install')).toEqual({ kind: 'done' })
  const { stdout } = await scene.launchctl('print', scene.target)
  expect(stdout).toContain(`\tpath = ${launchd.unitFile(spec)}\n`)
})

test('a program that cannot be started is put aside, which shows as on a Mac', async ({
  onTestFinished,
}) => {
  const { scene, spec, carry } = await rig(onTestFinished)
  await carry('install')
  await carry('stop')
  await chmod(spec.folders.home + '/service/oss20bd', 0o644)
  expect(await carry('start')).toMatchObject({
    kind: 'failed',
    failure: { message: expect.stringMatching(/spawn scheduled, last exit 78: EX_CONFIG/) },
  })
  const { stdout } = await scene.launchctl('print', scene.target)
  expect(stdout).toMatch(/properties = .*penalty box/)
})

test('a plist that others may write to, or of somebody else, is refused', async ({
  onTestFinished,
}) => {
  const { scene, spec, carry } = await rig(onTestFinished)
  await carry('install')
  await carry('stop')
  await chmod(launchd.unitFile(spec), 0o666)
  expect(await carry('start')).toMatchObject({
    failure: { message: expect.stringContaining('(launchctl: 122)') },
  })
  expect(await carry('uninstall')).toEqual({ kind: 'done' })
  expect(await scene.launchctl('list')).toMatchObject({ stdout: 'PID\tStatus\tLabel' })
})
