import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isDisabled,
  isOnDemandOnly,
  parseList,
  parsePrint,
} from '../../../src/service/launchctl-print.ts'
import { isAllowedInLoginItems } from '../../../src/service/login-items.ts'
import { printDomain, printService, printTable } from '../../stand-ins/launchd-texts.mjs'

const folder = fileURLToPath(new URL('../../fixtures/macos/', import.meta.url))

function capture(name: string): Promise<string> {
  return readFile(`${folder}${name}.txt`, 'utf8')
}

describe('what launchctl print shows', () => {
  test.each([
    [
      'running-keepalive-macos27.0',
      {
        state: 'running',
        pid: 1076,
        runs: 1,
        lastExit: null,
        program: '/Users/USER/.local/bin/ddc-brightnessd',
        spawnType: 'interactive (4)',
        exitTimeoutSeconds: 5,
        minimumRuntimeSeconds: 10,
        properties: ['keepalive', 'runatload', 'inferred program', 'managed LWCR', 'has LWCR'],
        arguments: ['/Users/USER/.local/bin/ddc-brightnessd'],
      },
    ],
    [
      'running-keepalive-successfulexit-false-macos27.0',
      { pid: 1082, minimumRuntimeSeconds: 30, spawnType: 'background (5)' },
    ],
    [
      'running-interval',
      {
        pid: 63_057,
        lastExit: '0',
        arguments: ['/bin/zsh', '-lic', '/opt/homebrew/bin/upkeep --auto'],
      },
    ],
    ['not-running-exit1-macos27.0', { state: 'not running', pid: null, runs: 4, lastExit: '1' }],
    ['never-run-calendar-macos27.0', { pid: null, runs: 0, lastExit: null }],
    ['system-daemon-not-running-exit0-macos26.5', { runs: 21_240, lastExit: '0' }],
    ['not-running-killed9-trimmed-macos26.6', { state: 'not running', lastExit: 'Killed: 9' }],
    ['not-running-terminated15-trimmed-macos26.6', { lastExit: 'Terminated: 15', runs: null }],
    ['spawn-scheduled-exit0-semaphores-trimmed-2025-01', { state: 'spawn scheduled', runs: 640 }],
    [
      'penalty-box-node-path-missing-exit78-trimmed',
      {
        state: 'spawn scheduled',
        lastExit: '78: EX_CONFIG',
        properties: ['keepalive', 'runatload', 'penalty box', 'inferred program'],
      },
    ],
    ['successive-crashes-sigill-trimmed-2026-08', { successiveCrashes: 9, runs: 10 }],
    ['successive-crashes-dyld-trimmed-macos15.7', { lastExit: 'OS_REASON_DYLD' }],
    [
      'codesigning-refused-trimmed-2026-08',
      { state: 'spawn scheduled', lastExit: 'OS_REASON_CODESIGNING' },
    ],
    ['xpcproxy-transient-trimmed-2026-08', { state: 'xpcproxy', pid: null, lastExit: null }],
  ])('%s', async (name, expected) => {
    expect(parsePrint(await capture(`launchctl-print-${name}`))).toMatchObject(expected)
  })

  test('the environment is read, not what is around it', async () => {
    const { environment } = parsePrint(await capture('launchctl-print-running-keepalive-macos27.0'))
    expect([...environment]).toEqual([
      ['OSLogRateLimit', '64'],
      ['DDC_DISPLAY', 'PA27JCV'],
      ['XPC_SERVICE_NAME', 'com.sglavoie.ddc-brightnessd'],
    ])
  })

  test('a running service that is cut anywhere never shows another pid', async () => {
    const whole = await capture('launchctl-print-running-keepalive-macos27.0')
    fc.assert(
      fc.property(fc.nat(whole.length), (end) => {
        // A number that is cut is another number: lines count only whole.
        const text = whole.slice(0, whole.lastIndexOf('\n', end) + 1)
        expect([null, 1076]).toContain(parsePrint(text).pid)
      }),
    )
  })

  test('any text gives an answer', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parsePrint(text).arguments).toEqual([])
      }),
    )
  })
})

describe('the other outputs', () => {
  test('a row of list has a pid or none', async () => {
    const rows = parseList(await capture('launchctl-list-excerpt-with-minus9'))
    expect(rows).toContainEqual({ pid: 53_232, label: 'com.asmi.daemon' })
    expect(rows).toContainEqual({ pid: null, label: 'com.ma.clipboard-notify' })
    expect(rows).toHaveLength(11)
  })

  test.each([
    ['=> disabled', true],
    ['=> enabled', false],
    ['=> true', true],
    ['=> false', false],
  ])('a record that says %s', (word, expected) => {
    const text = `\tdisabled services = {\n\t\t"dev.oss20bd.daemon" ${word}\n\t}\n`
    expect(isDisabled(text, 'dev.oss20bd.daemon')).toBe(expected)
    expect(isDisabled(text, 'dev.oss20bd')).toBe(false)
  })

  test('a label that has no record may be loaded', async () => {
    const text = await capture('launchctl-print-disabled-grep-lines')
    expect(isDisabled(text, 'dev.oss20bd.daemon')).toBe(false)
    expect(isDisabled(text, 'ai.openclaw.comment-warmup')).toBe(false)
  })

  test('the mode of a domain is known or not', () => {
    expect(isOnDemandOnly('gui/501 = {\n\ton-demand count = 2\n}\n')).toBe(true)
    expect(isOnDemandOnly('gui/501 = {\n\ton-demand count = 0\n}\n')).toBe(false)
    expect(isOnDemandOnly('gui/501 = {\n}\n')).toBeNull()
  })

  test('the switch in Login Items is on, off or not told', async () => {
    const text = await capture('../macos/sfltool-dumpbtm-macos27.0-anonymised')
    expect(isAllowedInLoginItems(text, 'com.example.agent')).toBe(true)
    expect(isAllowedInLoginItems(text, 'com.example')).toBeNull()
    const off = text.replaceAll('[enabled, allowed, ', '[enabled, disallowed, ')
    expect(isAllowedInLoginItems(off, 'com.example.legacy')).toBe(false)
  })
})

describe('the stand-in prints as the captures do', () => {
  const job = {
    label: 'com.sglavoie.ddc-brightnessd',
    domain: 'gui/501',
    path: '/Users/USER/scripts/launchagents/Library/LaunchAgents/com.sglavoie.ddc-brightnessd.plist',
    state: 'running',
    runs: 1,
    successiveCrashes: 0,
    child: { pid: 1076 },
    lastExit: null,
    lastSignal: null,
    penaltyBox: false,
    plist: {
      ProgramArguments: ['/Users/USER/.local/bin/ddc-brightnessd'],
      StandardOutPath: '/Users/USER/Library/Logs/ddc-brightnessd.log',
      StandardErrorPath: '/Users/USER/Library/Logs/ddc-brightnessd.log',
      EnvironmentVariables: { DDC_DISPLAY: 'PA27JCV' },
      KeepAlive: true,
      ProcessType: 'Interactive',
    },
  }

  test('each line of its print is in the capture, in the same order', async () => {
    const real = (await capture('launchctl-print-running-keepalive-macos27.0')).split('\n')
    let at = 0
    for (const line of printService(job).split('\n')) {
      if (line.startsWith('\tproperties')) continue
      const found = real.indexOf(line, at)
      expect({ line, isThere: found !== -1 }).toEqual({ line, isThere: true })
      at = found
    }
  })

  test('crashes one after the other are counted, in the words of the captures', async () => {
    const crashing = { ...job, runs: 10, successiveCrashes: 9, lastSignal: 'SIGILL' }
    const real = (await capture('launchctl-print-successive-crashes-sigill-trimmed-2026-08'))
      .split('\n')
      .map((line) => line.trim())
    const told = printService(crashing)
      .split('\n')
      .map((line) => line.trim())
    expect(told.filter((line) => real.includes(line) && line !== '')).toEqual(
      real.filter((line) => line !== ''),
    )
  })

  test('a table and a domain are read back', () => {
    expect(parseList(printTable([job]))).toEqual([{ pid: 1076, label: job.label }])
    expect(isOnDemandOnly(printDomain('gui/501', [job], true))).toBe(true)
  })

  test('no capture of launchctl is left out of these tests', async () => {
    const names = (await readdir(folder)).filter((name) => name.startsWith('launchctl-print'))
    expect(names).toHaveLength(16)
  })
})
