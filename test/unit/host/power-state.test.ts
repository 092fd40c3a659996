import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  parseHeat,
  parsePlatformProfile,
  parsePowerSettings,
  readPowerState,
} from '../../../src/host/power-state.ts'
import type { RunTool } from '../../../src/run-tool.ts'

const nominal = readFileSync(
  new URL('../../fixtures/macos/pmset-g-therm-nominal-m3ultra.txt', import.meta.url),
  'utf8',
)

/** `pmset -g` of a MacBook, as its user wrote it down. */
const inUse = (setting: string): string => `System-wide power settings:
Currently in use:
 standby              1
 Sleep On Power Button 1
 hibernatefile        /var/vm/sleepimage
 powernap             0
 networkoversleep     0
 disksleep            10
 sleep                1 (sleep prevented by powerd, bluetoothd)
 hibernatemode        3
 ttyskeepawake        1
 displaysleep         90
 tcpkeepalive         1
${setting}
 womp                 0
`

/** `pmset -g custom` of a MacBook Air with M1, macOS 26.5.2, cut: nothing in it says which part is in use. */
const custom = `Battery Power:
 Sleep On Power Button 1
 lowpowermode         1
 standby              1
AC Power:
 Sleep On Power Button 1
 lowpowermode         0
 standby              1
`

test.each([
  [' lowpowermode         0', { isOn: false, setting: 'lowpowermode' }],
  [' lowpowermode         1', { isOn: true, setting: 'lowpowermode' }],
  [' powermode            0', { isOn: false, setting: 'powermode' }],
  [' powermode            1', { isOn: true, setting: 'powermode' }],
  [' powermode            2', { isOn: false, setting: 'powermode' }],
  [' lowpowermode         0\n powermode            1', { isOn: true, setting: 'powermode' }],
  [' gpuswitch            2', null],
])('a Mac in use with "%s"', (setting, found) => {
  expect(parsePowerSettings(inUse(setting))).toEqual(found)
})

test('settings of another source of power are not those in use', () => {
  expect(parsePowerSettings(inUse(' womp 0') + custom)).toBeNull()
  expect(parsePowerSettings('')).toBeNull()
})

test.each([
  [nominal, { isSlowed: false, seen: 'No thermal warning level has been recorded' }],
  ['CPU_Scheduler_Limit \t= 100\nCPU_Available_CPUs \t= 10\nCPU_Speed_Limit \t= 62\n', true],
  ['\tCPU_Speed_Limit \t= 100\n', false],
  ['2026-08-20 13:11:08 +0700 Thermal Warning Level = 1\n', true],
  ['Thermal Warning Level = 0\nPerformance Warning Level = 0\n', false],
  ['Performance Warning Level = 2\n', true],
])('the heat in %j', (text, found) => {
  const heat = parseHeat(text)
  expect(typeof found === 'boolean' ? heat?.isSlowed : heat).toEqual(found)
})

test.each(['', 'Error:Failed to get thermal warning level with error code 0x1\n', 'pmset: ?'])(
  'no heat is told by %j',
  (text) => {
    expect(parseHeat(text)).toBeNull()
  },
)

test('whatever is printed is understood or unknown', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect([true, false, undefined]).toContain(parseHeat(text)?.isSlowed)
      expect([true, false, undefined]).toContain(parsePowerSettings(text)?.isOn)
    }),
  )
})

test.each([
  ['low-power\n', { isOn: true, setting: 'platform_profile' }],
  ['balanced\n', { isOn: false, setting: 'platform_profile' }],
  ['', null],
])('a laptop with Linux whose profile is %j', (text, found) => {
  expect(parsePlatformProfile(text)).toEqual(found)
})

test('a Mac is asked twice, one after the other, and a machine that tells nothing is unknown', async () => {
  const asked: string[] = []
  const runTool: RunTool = async (file, args) => {
    asked.push([file, ...args].join(' '))
    const stdout = args.includes('therm') ? nominal : inUse(' lowpowermode         1')
    return { kind: 'ended', stdout, failure: null }
  }
  const readText = () => Promise.reject(new Error('none'))
  expect(await readPowerState('darwin', { runTool, readText })).toMatchObject({
    saving: { isOn: true },
    heat: { isSlowed: false },
  })
  expect(asked).toEqual(['pmset -g', 'pmset -g therm'])
  const none: RunTool = async () => ({ kind: 'failed', reason: 'there is no pmset here' })
  const nothing = { saving: null, heat: null }
  expect(await readPowerState('darwin', { runTool: none, readText })).toEqual(nothing)
  expect(await readPowerState('linux', { runTool: none, readText })).toEqual(nothing)
})
