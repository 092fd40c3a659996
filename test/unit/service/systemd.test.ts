import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { CommandResult } from '../../../src/service/run-command.ts'
import { type Found, NOTHING_FOUND, type ServiceSpec } from '../../../src/service/service.ts'
import type { RunStep, Step, WaitStep } from '../../../src/service/step.ts'
import { explainSystemctl } from '../../../src/service/systemctl-exit.ts'
import { parseShow } from '../../../src/service/systemctl-show.ts'
import { lingerAdvice, readLinger } from '../../../src/service/systemd-linger.ts'
import { systemd } from '../../../src/service/systemd.ts'
import { fillUnit, unitRuns } from '../../../src/service/systemd-unit.ts'

const templateFile = fileURLToPath(new URL(`../../../${systemd.templateFile}`, import.meta.url))
const template = await readFile(templateFile, 'utf8')

const unitFile = '/home/ada/.config/systemd/user/oss20bd.service'

function spec(changes: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    scope: 'user',
    user: { name: 'ada', uid: 1000, home: '/home/ada' },
    folders: {
      home: '/home/ada/.local/share/oss20bd',
      logs: '/home/ada/.local/state/oss20bd/logs',
    },
    node: '/usr/bin/node',
    program: { from: '/opt/oss20bd', name: '0.1.0-abc' },
    daemonArgs: [],
    environment: { PATH: '/usr/bin:/bin', HOME: '/home/ada', LANG: 'C' },
    stopLimitMs: 42_000,
    template,
    shim: '#!/bin/sh\n',
    ...changes,
  }
}

function ended(exitCode: number | null, stdout = '', stderr = ''): CommandResult {
  return { exitCode, stdout, stderr }
}

function words(steps: readonly Step[]): readonly string[] {
  return steps.map((step) => {
    if (step.kind === 'run') return step.command.join(' ')
    if (step.kind === 'wait') return `wait: ${step.until}`
    return 'path' in step ? `${step.kind} ${step.path}` : step.kind
  })
}

test('the unit is the template without its comments, filled in', () => {
  const unit = fillUnit(spec())
  expect(unit).not.toMatch(/[#{}]/)
  expect(unit.startsWith('[Unit]\n')).toBe(true)
  expect(unit).toContain(
    'ExecStart="/home/ada/.local/share/oss20bd/service/oss20bd" daemon --service\n',
  )
  expect(unit).toContain('Environment="PATH=/usr/bin:/bin" "HOME=/home/ada" "LANG=C"\n')
  expect(unit).toContain('TimeoutStopSec=60\n')
  expect(unit).toContain('WantedBy=default.target\n')
  expect(unit).not.toContain('User=')
})

test('each line of the template has its reason above it', () => {
  const blocks = template.split('\n').slice(1)
  const settings = blocks.flatMap((line, index) =>
    /^\w+=/.test(line) ? [{ line, above: blocks[index - 1] ?? '' }] : [],
  )
  // What the unit is needs none, and some stand under the reason of the line above.
  const without = settings
    .filter(({ above }) => !above.startsWith('#'))
    .map(({ line }) => line.replace(/=.*/, ''))
  expect(without).toEqual([
    'Description',
    'RestrictNamespaces',
    'RestrictSUIDSGID',
    'LockPersonality',
    'SystemCallArchitectures',
  ])
})

test('a service of the whole machine runs as the user, from boot on', () => {
  const unit = fillUnit(spec({ scope: 'system' }))
  expect(unit).toContain('\nUser=ada\n')
  expect(unit).toContain('WantedBy=multi-user.target\n')
  expect(systemd.unitFile(spec({ scope: 'system' }))).toBe('/etc/systemd/system/oss20bd.service')
})

test('nothing in a path or an argument means anything to systemd', () => {
  const home = '/home/a "b" 100%\\'
  const given = spec({
    folders: { home, logs: '/l' },
    daemonArgs: ['--set', 'a=$HOME %h'],
    environment: { PATH: '/x y:%i' },
  })
  const unit = fillUnit(given)
  expect(unit).toContain(
    String.raw`ExecStart="/home/a \"b\" 100%%\\/service/oss20bd" daemon --service "--set" "a=$$HOME %%h"`,
  )
  expect(unit).toContain('Environment="PATH=/x y:%%i"')
  expect(unitRuns(unit, `${home}/service/oss20bd`)).toBe(true)
  expect(unitRuns(unit, '/home/other/service/oss20bd')).toBe(false)
})

test('a daemon that may take long to stop is given the time', () => {
  expect(fillUnit(spec({ stopLimitMs: 600_000 }))).toContain('TimeoutStopSec=610\n')
})

test('install does all that can go wrong with files before it ends what runs', () => {
  const { steps } = systemd.plan('install', spec(), { ...NOTHING_FOUND, backgroundPid: 7 })
  const told = words(steps)
  expect(told.slice(told.indexOf(`write-file ${unitFile}`))).toEqual([
    `write-file ${unitFile}`,
    'systemctl --user daemon-reload',
    'systemctl --user enable oss20bd.service',
    'hand-over',
    'end-background',
    'systemctl --user stop --no-block oss20bd.service',
    'wait: it has no process',
    'systemctl --user daemon-reload',
    'systemctl --user start --no-block oss20bd.service',
    `wait: it has said that it is ready, and its unit is ${unitFile}`,
    'await-daemon',
  ])
})

const installed: Found = {
  ...NOTHING_FOUND,
  files: new Map([[unitFile, 'the unit before']]),
  loaded: true,
}

test('an install that fails puts back the unit that was there and starts it', () => {
  const { undo } = systemd.plan('install', spec(), installed)
  expect(undo).toContainEqual({
    kind: 'write-file',
    path: unitFile,
    text: 'the unit before',
    mode: 0o644,
    owner: expect.toSatisfy((owner) => owner === null),
  })
  expect(words(undo).at(-1)).toBe('await-daemon')
  expect(words(undo)).not.toContain('systemctl --user disable oss20bd.service')
})

test('an install that fails where nothing was leaves nothing', () => {
  const { undo } = systemd.plan('install', spec(), { ...NOTHING_FOUND, backgroundPid: 7 })
  expect(words(undo)).toEqual(
    expect.arrayContaining([
      'systemctl --user disable oss20bd.service',
      `remove-file ${unitFile}`,
      'start-background',
    ]),
  )
})

test('uninstall disables only what is there, and removes a link that was left', () => {
  const here = words(systemd.plan('uninstall', spec(), installed).steps)
  const notHere = words(systemd.plan('uninstall', spec(), NOTHING_FOUND).steps)
  const disable = 'systemctl --user disable oss20bd.service'
  expect(here).toContain(disable)
  expect(notHere).toEqual(here.filter((line) => line !== disable))
  expect(here).toContain(
    'remove-file /home/ada/.config/systemd/user/default.target.wants/oss20bd.service',
  )
})

test.each([
  ['start', 'user', ['systemctl', '--user', 'start']],
  ['stop', 'user', ['systemctl', '--user', 'stop']],
  ['restart', 'system', ['systemctl', 'stop', '--no-block']],
] as const)('%s of a %s service is a matter of systemctl', (verb, scope, command) => {
  const { steps, undo } = systemd.plan(verb, spec({ scope }), installed)
  const runs = steps.filter((step): step is RunStep => step.kind === 'run')
  expect(runs.map((step) => step.command)).toContainEqual(expect.arrayContaining([...command]))
  expect(undo).toEqual([])
})

const running = `LoadState=loaded
ActiveState=active
SubState=running
Result=success
MainPID=42
ExecMainCode=0
ExecMainStatus=0
FragmentPath=${unitFile}
UnitFileState=enabled
NeedDaemonReload=no
NRestarts=3
StatusText=starting: loading the model, 42 %
`

const between = `LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=signal
MainPID=0
ExecMainCode=2
ExecMainStatus=9
FragmentPath=${unitFile}
`

test('what systemctl show says', () => {
  expect(parseShow(running)).toEqual({
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    result: 'success',
    pid: 42,
    lastExit: null,
    unitFile,
    unitFileState: 'enabled',
    needsReload: false,
    restarts: 3,
    statusText: 'starting: loading the model, 42 %',
  })
  expect(parseShow(between)).toMatchObject({ pid: null, lastExit: 'signal 9' })
  expect(parseShow('ExecMainCode=1\nExecMainStatus=2\n').lastExit).toBe('status 2')
  expect(parseShow('\n=\nMainPID=many\n')).toMatchObject({ pid: null, loadState: null })
})

test.each([
  ['a process', ended(0, running), { kind: 'running', pid: 42 }],
  [
    'a pause between two starts',
    ended(0, between),
    {
      kind: 'idle',
      detail: 'activating (auto-restart), signal, last exit signal 9',
      lastExit: 'signal 9',
    },
  ],
  [
    'no such unit',
    ended(0, 'LoadState=not-found\nActiveState=inactive\n'),
    { kind: 'not-loaded', reason: 'systemd knows no oss20bd.service' },
  ],
  [
    'no bus',
    ended(1, '', 'Failed to connect to bus: No medium found\n'),
    { kind: 'unknown', reason: expect.stringContaining('cannot be reached from this shell') },
  ],
  [
    'no systemctl',
    ended(null, '', 'spawn systemctl ENOENT'),
    { kind: 'unknown', reason: 'systemctl cannot be run: spawn systemctl ENOENT' },
  ],
  ['no words', ended(0), { kind: 'unknown', reason: 'systemctl said nothing of it' }],
])('the state with %s', async (_case, result, expected) => {
  expect(await systemd.state(spec(), () => Promise.resolve(result))).toEqual(expected)
})

function waits(): readonly WaitStep[] {
  const { steps } = systemd.plan('restart', spec(), installed)
  return steps.filter((step): step is WaitStep => step.kind === 'wait')
}

test('it has ended without a process, not while it is about to start again', () => {
  const [end] = waits()
  const stopped = 'LoadState=loaded\nActiveState=inactive\nMainPID=0\n'
  expect([stopped, between, running].map((said) => end?.isSo(ended(0, said)))).toEqual([
    true,
    false,
    false,
  ])
  expect(end?.isSo(ended(1, stopped))).toBe(false)
  expect(end?.explain(ended(0, running)).message).toBe('it does not end: active (running)')
})

test('it runs when it says so and is ours; else the reason is told', () => {
  const [, start] = waits()
  expect(start?.isSo(ended(0, running))).toBe(true)
  const elsewhere = running.replace(unitFile, '/etc/systemd/user/oss20bd.service')
  expect(start?.isSo(ended(0, elsewhere))).toBe(false)
  expect(start?.explain(ended(0, elsewhere)).message).toContain('reads another unit')
  expect(start?.explain(ended(0, between)).message).toBe(
    'systemd does not get it started: activating (auto-restart), signal, last exit signal 9',
  )
  expect(start?.explain(ended(0, 'LoadState=masked\n')).hint).toContain('unmask')
  expect(start?.explain(ended(1, '', 'Failed to connect to bus')).hint).toContain('Log in')
})

test.each([
  ['System has not been booted with systemd as init system (PID 1)', 'not run by systemd'],
  ['Failed to connect to user scope bus via local transport', 'cannot be reached'],
  ['Failed to start oss20bd.service: Unit oss20bd.service is masked.', 'is masked'],
  ['Failed to enable unit: Access denied', 'does not let this user'],
  ['Something new', 'systemctl ended with status 1: Something new'],
])('%s is explained', (stderr, message) => {
  const failure = explainSystemctl(ended(1, '', stderr))
  expect(failure.message).toContain(message)
  expect(failure.hint).not.toBe('')
})

test.each([
  [ended(0, 'Linger=yes\n'), 'on'],
  [ended(0, 'Linger=no\n'), 'off'],
  [ended(1, '', 'Failed to get user: User ID 1000 is not logged in or lingering'), 'off'],
  [ended(null, '', 'spawn loginctl ENOENT'), 'unknown'],
  [ended(1, '', 'Failed to connect to bus'), 'unknown'],
] as const)('whether services outlive a login: %o', async (result, linger) => {
  expect(await readLinger('ada', () => Promise.resolve(result))).toBe(linger)
})

test('lingering is advised where it matters, with the command', () => {
  expect(lingerAdvice('ada', 'on')).toBeNull()
  expect(lingerAdvice('ada', 'off')).toMatch(/ends when you log out.*loginctl enable-linger ada$/)
  expect(lingerAdvice('ada', 'unknown')).toMatch(/may end.*loginctl enable-linger ada$/)
})
