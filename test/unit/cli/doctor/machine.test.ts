import { expect, test } from 'vitest'
import { type ClockFacts, examineClock } from '../../../../src/cli/doctor/clock.ts'
import { invalidConfig } from '../../../../src/cli/doctor/config.ts'
import { examineFolders } from '../../../../src/cli/doctor/folders.ts'
import { examineMachine, type MachineState } from '../../../../src/cli/doctor/machine.ts'
import { examineTools, type ToolFacts } from '../../../../src/cli/doctor/tools.ts'
import { mends } from './mends.ts'

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
])('a machine with %j', (change, found) => {
  expect(mends(examineMachine({ ...machine, ...change }).findings)).toEqual(found)
})

const clock: ClockFacts = {
  platform: 'darwin',
  nowMs: Date.UTC(2026, 10, 24, 20),
  atLeast: { atMs: Date.UTC(2026, 10, 24, 19), because: 'the daemon wrote its journal then' },
  hub: { kind: 'told', atMs: Date.UTC(2026, 10, 24, 20), host: 'hub' },
}
const wrongOnMac = { 'clock-wrong': 'sudo sntp -sS time.apple.com' }

test.each<[string, Partial<ClockFacts>, Record<string, string>]>([
  ['that agrees with the hub', {}, {}],
  ['that nobody was asked about', { hub: { kind: 'not-told' } }, {}],
  ['some hours off', { nowMs: Date.UTC(2026, 10, 24, 10) }, {}],
  ['before the last event', { nowMs: Date.UTC(2020, 0, 1), hub: { kind: 'not-told' } }, wrongOnMac],
  ['days after the hub', { nowMs: Date.UTC(2026, 11, 1) }, wrongOnMac],
  [
    'by which the certificate is not valid yet',
    { hub: { kind: 'bad-certificate', code: 'CERT_NOT_YET_VALID', host: 'hub' } },
    wrongOnMac,
  ],
  [
    'of Linux, years after the hub',
    { platform: 'linux', nowMs: Date.UTC(2040, 0, 1) },
    { 'clock-wrong': 'sudo timedatectl set-ntp true' },
  ],
])('a clock %s', (_what, change, found) => {
  expect(mends(examineClock({ ...clock, ...change }).findings)).toEqual(found)
})

test('a wrong clock is told with both dates', () => {
  const { state, findings } = examineClock({ ...clock, nowMs: Date.UTC(2026, 11, 4, 20) })
  expect(state).toBe('2026-12-04 20:00 UTC, by hub')
  expect(findings[0]?.why).toBe('it says 2026-12-04; hub says 2026-11-24, 10 d earlier')
})

const mine = { path: '/u/home', isFolder: true, ownerUid: 501, isAllowed: true }

test.each([
  [mine, {}],
  [{ ...mine, isAllowed: false }, { 'folder-closed': 'chmod u+rwx /u/home' }],
  [
    { ...mine, path: '/u/a b', isAllowed: false, ownerUid: 0 },
    { 'folder-closed': `sudo chown -R "$(id -un)" '/u/a b'` },
  ],
  [
    { ...mine, isAllowed: false, ownerUid: null },
    { 'folder-closed': 'sudo chown -R "$(id -un)" /u/home' },
  ],
  [
    { path: '/u/config.toml', isFolder: false, ownerUid: 501, isAllowed: false },
    { 'config-closed': 'chmod u+r /u/config.toml' },
  ],
])('a place like %j', (place, found) => {
  expect(mends(examineFolders('/u/home', [mine, place], 501).findings)).toEqual(found)
})

test('a config that is not valid is told with all its problems, and the file is opened', () => {
  const message = 'Cannot use the config:\n  proxy.prot: unknown, did you mean proxy.port'
  const { state, findings } = invalidConfig('/u/a b/config.toml', { message })
  expect(state).toBe('not valid (/u/a b/config.toml)')
  expect(findings).toMatchObject([
    {
      id: 'config-invalid',
      why: 'Cannot use the config:; proxy.prot: unknown, did you mean proxy.port',
      mend: "${EDITOR:-nano} '/u/a b/config.toml'",
    },
  ])
})

const tools: ToolFacts = {
  platform: 'darwin',
  node: '20.20.0',
  missing: [],
  cmake: '4.0',
  hasCommandLineTools: true,
  hasHomebrew: true,
  hasEngine: false,
  isTranslated: false,
}
const linux = { platform: 'linux', hasCommandLineTools: null, isTranslated: null } as const

test.each<[Partial<ToolFacts>, Record<string, string>]>([
  [{}, {}],
  [{ hasCommandLineTools: false }, { 'command-line-tools-missing': 'xcode-select --install' }],
  [
    { hasCommandLineTools: false, missing: ['cmake'], cmake: null },
    {
      'command-line-tools-missing': 'xcode-select --install',
      'tools-missing': 'brew install cmake',
    },
  ],
  [{ missing: ['cmake'], cmake: null }, { 'tools-missing': 'brew install cmake' }],
  [
    { missing: ['cmake'], cmake: null, hasHomebrew: false },
    { 'tools-missing': 'open https://cmake.org/download/' },
  ],
  [{ missing: ['c++'] }, { 'tools-missing': 'xcode-select --install' }],
  [{ missing: ['cmake'], hasCommandLineTools: false, hasEngine: true }, {}],
  [{ cmake: '3.10' }, { 'cmake-too-old': 'brew install cmake' }],
  [{ cmake: '3.18' }, {}],
  [{ cmake: '3.10', hasEngine: true }, {}],
  [{ isTranslated: true }, { 'node-translated': '/opt/homebrew/bin/brew install node' }],
  [{ ...linux, missing: ['git', 'c++'] }, { 'tools-missing': 'sudo apt-get install git g++' }],
  [{ ...linux, cmake: '3.5' }, { 'cmake-too-old': 'sudo apt-get install cmake' }],
])('tools like %j', (change, found) => {
  expect(mends(examineTools({ ...tools, ...change }).findings)).toEqual(found)
})

test('tools that nobody needs now are told, and nothing is wrong', () => {
  const { state } = examineTools({ ...tools, missing: ['cmake'], cmake: null, hasEngine: true })
  expect(state).toBe('Node 20.20.0, no cmake, which only a build needs')
  expect(examineTools(tools).state).toBe('Node 20.20.0, cmake 4.0, git, c++')
})
