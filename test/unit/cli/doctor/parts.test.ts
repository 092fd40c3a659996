import { expect, test } from 'vitest'
import { examineDaemon } from '../../../../src/cli/doctor/daemon.ts'
import { type EngineFacts, examineEngine } from '../../../../src/cli/doctor/engine.ts'
import { fixOf } from '../../../../src/cli/doctor/fix.ts'
import { examineMachine, type MachineState } from '../../../../src/cli/doctor/machine.ts'
import { withoutNames } from '../../../../src/cli/doctor/report.ts'
import { makeStatus, type StatusChange } from '../../../helpers/status.ts'

const GIB = 2 ** 30

const machine: MachineState = {
  platform: 'darwin',
  model: 'Mac14,12',
  chip: 'Apple M2',
  cores: 8,
  system: 'macOS 26.5',
  totalBytes: 32 * GIB,
  memoryInUse: { usedBytes: 20 * GIB, otherUsedBytes: 21 * GIB, agrees: true },
  freeDiskBytes: 100 * GIB,
  missingTools: [],
  hasEngine: true,
}

const engine: EngineFacts = {
  platform: 'darwin',
  file: '/e/llama-server',
  version: '0.5.0',
  devices: { kind: 'listed', devices: [{ id: 'MTL0', name: 'Apple M2', limitBytes: 25 * GIB }] },
  isRemote: false,
}

/** Id to mending command of each finding. */
function mends(findings: readonly { id: string; mend: string }[]): Record<string, string> {
  return Object.fromEntries(findings.map(({ id, mend }) => [id, mend]))
}

test('a machine that lacks nothing is told in one line', () => {
  expect(examineMachine(machine)).toEqual({
    state:
      'Apple M2, macOS 26.5, 32.0 GiB of memory, 20.0 GiB of it in use, 100.0 GiB of disk free',
    findings: [],
  })
})

test('two readers that disagree on the memory are both told', () => {
  const memoryInUse = { usedBytes: 20 * GIB, otherUsedBytes: 30 * GIB, agrees: false }
  expect(examineMachine({ ...machine, memoryInUse }).state).toContain(
    '20.0 GiB of it in use (another reader says 30.0 GiB)',
  )
})

test.each<[Partial<MachineState>, Record<string, string>]>([
  [{ freeDiskBytes: 10 * GIB }, { 'disk-full': 'oss20bd models' }],
  [{ freeDiskBytes: 10 * GIB, platform: 'linux' }, {}],
  [{ freeDiskBytes: GIB, platform: 'linux' }, { 'disk-full': 'oss20bd models' }],
  [{ freeDiskBytes: null, chip: null, system: null }, {}],
  [{ missingTools: ['cmake'], hasEngine: true }, {}],
  [{ missingTools: ['cmake'], hasEngine: false }, { 'tools-missing': 'brew install cmake' }],
  [{ missingTools: ['c++'], hasEngine: false }, { 'tools-missing': 'xcode-select --install' }],
  [
    { missingTools: ['git'], hasEngine: false, platform: 'linux' },
    { 'tools-missing': 'sudo apt-get install git cmake g++' },
  ],
])('a machine with %j', (change, found) => {
  expect(mends(examineMachine({ ...machine, ...change }).findings)).toEqual(found)
})

const noGpu = { kind: 'listed', devices: [] } as const
const silent = { kind: 'unknown', reason: 'it could not be run' } as const

test.each<[Partial<EngineFacts>, Record<string, string>]>([
  [{}, {}],
  [{ devices: noGpu }, { 'gpu-not-used': 'oss20bd build' }],
  [{ devices: noGpu, isRemote: true }, { 'gpu-not-used': 'oss20bd install' }],
  [{ devices: noGpu, platform: 'linux' }, {}],
  [{ devices: silent }, {}],
  [{ devices: silent, version: null }, { 'engine-broken': 'oss20bd build' }],
])('an engine with %j', (change, found) => {
  expect(mends(examineEngine({ ...engine, ...change }).findings)).toEqual(found)
})

test.each<[StatusChange, Record<string, string>]>([
  [{}, {}],
  [{ engine: { state: 'failed' } }, { 'gave-up': 'oss20bd restart' }],
  [{ engine: { state: 'refused' } }, { refused: 'oss20bd plan' }],
  [{ engine: { safeMode: true } }, { 'safe-mode': 'oss20bd why' }],
  [{ memory: { level: 'critical' } }, { 'memory-critical': 'oss20bd status' }],
  [{ memory: { level: 'tight' } }, { 'memory-tight': 'oss20bd status' }],
  [{ proxy: { failed: 3 } }, { 'requests-failed': 'oss20bd requests' }],
])('a daemon whose status is %j', (change, found) => {
  const well = { proxy: { failed: 0 } }
  const status = makeStatus({ ...well, ...change, proxy: { ...well.proxy, ...change.proxy } })
  expect(mends(examineDaemon(status).findings)).toEqual(found)
})

test('no daemon is something to start', () => {
  expect(mends(examineDaemon(null).findings)).toEqual({ 'not-running': 'oss20bd start' })
})

test.each([
  ['oss20bd start', ['start']],
  ['oss20bd pull', ['pull']],
  ['oss20bd uninstall', null],
  ['oss20bd start; rm -rf /', null],
  ['sudo oss20bd start', null],
  ["oss20bd inspect '/a b'", null],
  ['brew install cmake', null],
])('"%s" is run by --fix as %j', (mend, args) => {
  expect(fixOf({ mend })).toEqual(args)
})

test('a report names neither home, user nor machine', () => {
  const names = { home: '/Users/hanako', user: 'hanako', host: 'hanakos-mac.local' }
  expect(withoutNames('/Users/hanako/x hanako@hanakos-mac (hanakos-mac.local)', names)).toBe(
    '~/x USER@HOST (HOST)',
  )
  expect(withoutNames('a b', { home: '/root', user: 'a', host: 'b' })).toBe('a b')
})
