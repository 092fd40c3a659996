/** What the doctor finds of the service on a Mac, from real outputs. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import {
  judgeLockedHome,
  readFileVault,
  refuseInstall,
} from '../../../src/service/install-refusal.ts'
import { parseList, parsePrint } from '../../../src/service/launchctl-print.ts'
import type { LaunchdFacts } from '../../../src/service/launchd-facts.ts'
import { judgeLaunchd } from '../../../src/service/launchd-findings.ts'
import { fillPlist, readPlist } from '../../../src/service/launchd-plist.ts'
import { LABEL } from '../../../src/service/unit-file.ts'
import { macSpec } from '../../helpers/service-spec.ts'
import { type PrintedJob, printService } from '../../stand-ins/launchd-texts.mjs'

const home = '/Users/ada'
const service = `${home}/Library/Application Support/oss20bd/service`
const shim = `${service}/oss20bd`
const plistFile = `${home}/Library/LaunchAgents/${LABEL}.plist`
const read = readPlist(fillPlist(macSpec()))!
const own = {
  ProgramArguments: read.programArguments,
  EnvironmentVariables: read.environment,
  ExitTimeOut: 60,
  KeepAlive: true,
  ProcessType: 'Interactive',
}
const job = {
  label: LABEL,
  domain: 'gui/501',
  path: plistFile,
  state: 'running',
  runs: 1,
  successiveCrashes: 0,
  child: { pid: 4711 },
  lastExit: null,
  lastSignal: null,
  penaltyBox: false,
  plist: own,
}

function printed(changes: Partial<PrintedJob> = {}) {
  return parsePrint(printService({ ...job, ...changes }))
}

const well: LaunchdFacts = {
  label: LABEL,
  target: `gui/501/${LABEL}`,
  plistFile,
  plist: { read, isSafe: true, differing: [] },
  printed: printed(),
  domainCode: null,
  disabled: false,
  onDemandOnly: false,
  allowedInLoginItems: null,
  fileVault: true,
  shim: { file: shim, isThere: true },
  node: { file: '/opt/homebrew/bin/node', isThere: true },
  program: { folder: `${service}/programs/0.1.0-abc`, isThere: true },
  wantedProgram: '0.1.0-abc',
  logFolder: { path: `${home}/Library/Logs/oss20bd`, isThere: true },
  model: `${home}/Library/Application Support/oss20bd/models/gpt-oss-20b.gguf`,
  home,
  models: `${home}/Library/Application Support/oss20bd/models`,
  services: [{ pid: 4711, label: LABEL }],
  others: [],
  port: 8020,
  portHolder: { pid: 4711, name: 'node' },
}

function capture(name: string): Promise<string> {
  return readFile(fileURLToPath(new URL(`../../fixtures/macos/${name}`, import.meta.url)), 'utf8')
}

async function printedBy(name: string, path = plistFile): Promise<LaunchdFacts['printed']> {
  const text = await capture(`launchctl-print-${name}.txt`)
  // The captures are of other people's services.
  return { ...parsePrint(text), path, program: shim, arguments: [], environment: new Map() }
}

/** What is found, and the command for each. */
function found(changes: Partial<LaunchdFacts>): Readonly<Record<string, string>> {
  const findings = judgeLaunchd({ ...well, ...changes })
  return Object.fromEntries(findings.map(({ id, mend }) => [id, mend]))
}

test('nothing is wrong with a service that runs, and nothing with one that was never installed', () => {
  expect(found({})).toEqual({})
  const never = { plist: null, printed: null, node: null, program: null, portHolder: null }
  expect(found(never)).toEqual({})
})

const plist = { read, isSafe: true, differing: [] }

test.each<[string, Partial<LaunchdFacts>, string]>([
  ['not-loaded', { printed: null, portHolder: null }, 'oss20bd start'],
  ['disabled', { printed: null, disabled: true, portHolder: null }, 'oss20bd start'],
  [
    'switched-off',
    { printed: null, allowedInLoginItems: false, portHolder: null },
    'open "x-apple.systempreferences:com.apple.LoginItems-Settings.extension"',
  ],
  [
    'no-session',
    { printed: null, domainCode: 125, portHolder: null },
    'sudo oss20bd install --system',
  ],
  ['wrong-program', { printed: printed({ path: '/tmp/old.plist' }) }, 'oss20bd install'],
  ['plist-gone', { plist: null }, 'oss20bd install'],
  ['plist-unsafe', { plist: { ...plist, isSafe: false } }, 'oss20bd install'],
  ['old-plist', { plist: { ...plist, differing: ['Umask'] } }, 'oss20bd install'],
  ['old-program', { wantedProgram: '0.2.0-def' }, 'oss20bd install'],
  ['shim-gone', { shim: { file: shim, isThere: false } }, 'oss20bd install'],
  ['program-gone', { program: { folder: '/x', isThere: false } }, 'oss20bd install'],
  ['node-gone', { node: { file: '/x/node', isThere: false } }, 'oss20bd install'],
  ['log-folder-missing', { logFolder: { path: '/x', isThere: false } }, 'oss20bd install'],
  [
    'plist-changed',
    { printed: printed({ plist: { ...own, ExitTimeOut: 5 } }) },
    'oss20bd restart --daemon',
  ],
  [
    'plist-changed',
    {
      printed: printed({
        plist: { ...own, EnvironmentVariables: { ...read.environment, PATH: '/x' } },
      }),
    },
    'oss20bd restart --daemon',
  ],
  [
    'private-model',
    { model: `${home}/Downloads/it's.gguf` },
    `mv '/Users/ada/Downloads/it'\\''s.gguf' '/Users/ada/Library/Application Support/oss20bd/models/it'\\''s.gguf' && oss20bd install --set model.path='/Users/ada/Library/Application Support/oss20bd/models/it'\\''s.gguf'`,
  ],
  [
    'private-model',
    { model: '/Volumes/Big/m.gguf' },
    `mv /Volumes/Big/m.gguf '/Users/ada/Library/Application Support/oss20bd/models/m.gguf' && oss20bd install --set model.path='/Users/ada/Library/Application Support/oss20bd/models/m.gguf'`,
  ],
  [
    'homebrew-service',
    { services: parseList('-\t0\thomebrew.mxcl.oss20bd\n') },
    'brew services stop oss20bd',
  ],
  [
    'port-taken',
    {
      services: parseList('812\t0\thomebrew.mxcl.ollama\n'),
      portHolder: { pid: 812, name: 'ollama' },
    },
    'brew services stop ollama',
  ],
  [
    'port-taken',
    { portHolder: { pid: 99, name: 'python3.12' } },
    'oss20bd install --set proxy.port=8021',
  ],
  [
    'leftover',
    { others: [{ file: `${home}/Library/LaunchAgents/com.me.plist`, label: 'com.me.oss20bd' }] },
    `launchctl bootout gui/$(id -u)/com.me.oss20bd; rm ${home}/Library/LaunchAgents/com.me.plist`,
  ],
  [
    'leftover',
    { others: [{ file: '/Library/LaunchDaemons/old.plist', label: 'old' }] },
    'sudo launchctl bootout system/old; sudo rm /Library/LaunchDaemons/old.plist',
  ],
  [
    'leftover',
    { others: [{ file: '/Library/LaunchAgents/old.plist', label: 'old' }] },
    'launchctl bootout gui/$(id -u)/old; sudo rm /Library/LaunchAgents/old.plist',
  ],
])('%s', (id, changes, mend) => {
  expect(found(changes)).toEqual({ [id]: mend })
})

describe('from what launchctl printed on real Macs', () => {
  test('a Node path that is gone: set aside', async () => {
    const is = await printedBy('penalty-box-node-path-missing-exit78-trimmed')
    expect(found({ printed: is, portHolder: null })).toEqual({ 'penalty-box': 'oss20bd install' })
  })

  test('a program that was replaced in place: refused by its signature', async () => {
    const is = await printedBy('codesigning-refused-trimmed-2026-08')
    expect(found({ printed: is, portHolder: null })).toEqual({ 'penalty-box': 'oss20bd install' })
  })

  test('one that dies again and again', async () => {
    for (const name of [
      'successive-crashes-sigill-trimmed-2026-08',
      'successive-crashes-dyld-trimmed-macos15.7',
    ]) {
      const is = await printedBy(name)
      expect(found({ printed: is, portHolder: null })).toEqual({ throttled: 'oss20bd logs -n 50' })
    }
  })

  test('640 starts in two hours, without a ProcessType that helps', async () => {
    const is = await printedBy('spawn-scheduled-exit0-semaphores-trimmed-2025-01')
    expect(Object.keys(found({ printed: is, portHolder: null }))).toEqual([
      'throttled',
      'plist-changed',
      'wrong-process-type',
    ])
  })

  test('a domain that starts nothing by itself yet', async () => {
    const is = printed({ child: null, state: 'not running' })
    expect(found({ printed: is, onDemandOnly: true, portHolder: null })).toEqual({
      'on-demand-only': 'oss20bd start',
    })
  })

  test('a service that is just being started is no finding', async () => {
    const is = await printedBy('xpcproxy-transient-trimmed-2026-08')
    expect(found({ printed: is, portHolder: null })).toEqual({})
  })
})

describe('what install refuses', () => {
  const spec = macSpec({ scope: 'system' })
  const list = (text: string) => () => Promise.resolve({ exitCode: 0, stdout: text, stderr: '' })

  test('sudo without --system, and a second service by Homebrew', async () => {
    const wish = { kind: 'launchd', spec: macSpec(), sudoUser: 'ada', model: '/m' } as const
    expect(await refuseInstall(wish, list(''))).toMatchObject({
      hint: expect.stringContaining('--system'),
    })
    const free = { ...wish, sudoUser: null }
    expect(await refuseInstall(free, list(''))).toBeNull()
    expect(await refuseInstall(free, list('7\t0\thomebrew.mxcl.oss20bd\n'))).toMatchObject({
      hint: expect.stringContaining('brew services stop oss20bd'),
    })
  })

  test('for the whole Mac, a home that FileVault locks', () => {
    expect(readFileVault('FileVault is On.\n')).toBe(true)
    expect(readFileVault('FileVault is Off.\n')).toBe(false)
    expect(readFileVault('')).toBeNull()
    expect(judgeLockedHome(false, spec, `${home}/m.gguf`)).toBeNull()
    expect(judgeLockedHome(true, spec, `${home}/m.gguf`)?.message).toContain(
      `FileVault is on, and ${home}/m.gguf is in a home that is locked`,
    )
    expect(judgeLockedHome(null, spec, '/m.gguf')?.message).toContain('cannot be told')
    const folders = { home: '/usr/local/var/oss20bd', logs: '/usr/local/var/oss20bd/logs' }
    expect(judgeLockedHome(true, { ...spec, folders }, '/usr/local/var/m.gguf')).toBeNull()
  })
})
