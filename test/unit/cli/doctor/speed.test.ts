import { expect, test } from 'vitest'
import { examineSpeed } from '../../../../src/cli/doctor/speed.ts'
import type { SpeedFacts } from '../../../../src/cli/doctor/speed-findings.ts'
import { mends } from './mends.ts'

const MIB = 2 ** 20

const speed: SpeedFacts = {
  platform: 'darwin',
  power: {
    saving: { isOn: false, setting: 'lowpowermode' },
    heat: { isSlowed: false, seen: 'No thermal warning level has been recorded' },
  },
  priority: { isBackground: false, seen: 'priority 31' },
  coldPages: { totalBytes: 12_000 * MIB, coldBytes: 10 * MIB },
  swapInBytesPerSecond: 0,
  swapOutBytesPerSecond: 0,
  promptTokens: 900,
  measured: { perSecond: 43.2, when: 'since the engine started' },
  usual: { perSecond: 45.7, source: 'published for M1 Pro, 32 GB' },
  before: null,
  unknown: null,
}

test('a speed that is as it should be is told beside what is to be expected', () => {
  expect(examineSpeed(speed)).toEqual({
    state:
      '43.2 tokens/s since the engine started, about 46 to expect (published for M1 Pro, 32 GB)',
    findings: [],
  })
  const unknown = 'what to expect of AMD EPYC is not known'
  expect(examineSpeed({ ...speed, measured: null, usual: null, unknown }).state).toBe(
    `not measured yet, ${unknown}`,
  )
})

const saving = (setting: string) => ({ ...speed.power, saving: { isOn: true, setting } })
const slow = { perSecond: 12, when: 'since the engine started' }
const nothingKnown = { saving: null, heat: null }

test.each<[Partial<SpeedFacts>, Record<string, string>]>([
  [{ power: saving('lowpowermode') }, { 'low-power': 'sudo pmset -a lowpowermode 0' }],
  [{ power: saving('powermode') }, { 'low-power': 'sudo pmset -a powermode 0' }],
  [
    { power: saving('platform_profile'), platform: 'linux' },
    { 'low-power': 'powerprofilesctl set balanced' },
  ],
  [
    { power: { ...speed.power, heat: { isSlowed: true, seen: 'CPU_Speed_Limit = 62' } } },
    { 'too-hot': 'oss20bd unload' },
  ],
  [
    { priority: { isBackground: true, seen: 'priority 4' } },
    { background: 'oss20bd stop && oss20bd start' },
  ],
  [{ swapInBytesPerSecond: 5 * MIB }, { swapping: 'oss20bd plan' }],
  [{ swapOutBytesPerSecond: 5 * MIB, swapInBytesPerSecond: null }, { swapping: 'oss20bd plan' }],
  [
    { coldPages: { totalBytes: 5154 * MIB, coldBytes: 5141 * MIB } },
    { 'cold-pages': 'oss20bd ask hello' },
  ],
  [{ promptTokens: 40_000 }, { 'long-prompts': 'oss20bd requests' }],
  [{ measured: slow }, { slow: 'oss20bd bench' }],
  [
    { measured: slow, power: saving('lowpowermode') },
    { 'low-power': 'sudo pmset -a lowpowermode 0' },
  ],
  [
    { measured: slow, usual: null, before: { perSecond: 40, at: '2026-11-01' } },
    { 'slower-than-before': 'oss20bd bench' },
  ],
  [{ measured: slow, usual: null, before: { perSecond: 20, at: '2026-11-01' } }, {}],
  [{ measured: slow, usual: null }, {}],
  [{ measured: null }, {}],
  [
    {
      power: nothingKnown,
      priority: null,
      coldPages: null,
      promptTokens: null,
      swapInBytesPerSecond: null,
      swapOutBytesPerSecond: null,
      measured: null,
    },
    {},
  ],
])('a machine with %j', (change, found) => {
  const { findings } = examineSpeed({ ...speed, ...change })
  expect(mends(findings)).toEqual(found)
  expect(findings.every(({ degree }) => degree === 'worse')).toBe(true)
})
