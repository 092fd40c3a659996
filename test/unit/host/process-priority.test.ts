import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseProcStat, parsePs, readPriority } from '../../../src/host/process-priority.ts'
import type { RunTool } from '../../../src/run-tool.ts'

test.each([
  // The columns PRI and NI of `ps axl` on a Mac: launchd, a shell, and syslogd, which runs in the background.
  [' 37  0\n', { isBackground: false, seen: 'priority 37' }],
  [' 31  0\n', { isBackground: false, seen: 'priority 31' }],
  ['  4  0\n', { isBackground: true, seen: 'priority 4' }],
  [' 31T  0\n', { isBackground: false, seen: 'priority 31' }],
  [' 21  10\n', { isBackground: true, seen: 'nice 10' }],
  [' 47 -10\n', { isBackground: false, seen: 'priority 47' }],
  ['', null],
  ['ps: illegal process id\n', null],
])('ps on a Mac prints %j', (text, found) => {
  expect(parsePs(text)).toEqual(found)
})

/** As a kernel 6.1 writes it, with a name that looks like the end of it. */
const stat = (nice: number, policy: number): string =>
  `4242 (llama) 0 (x) S 1 4242 4242 0 -1 4194304 100 0 0 0 5 2 0 0 20 ${nice} 3 0 9000 700000 300 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 0 0 ${policy} 0 0 0 0 0 0 0 0 0 0 0 0 0\n`

test.each([
  [stat(0, 0), { isBackground: false, seen: 'nice 0' }],
  [stat(10, 0), { isBackground: true, seen: 'nice 10' }],
  [stat(-5, 0), { isBackground: false, seen: 'nice -5' }],
  [stat(0, 5), { isBackground: true, seen: 'SCHED_IDLE' }],
  ['', null],
  ['4242 (llama', null],
])('/proc/PID/stat holds %j', (text, found) => {
  expect(parseProcStat(text)).toEqual(found)
})

test.runIf(process.platform === 'linux')('a process that was made nice is found out', () => {
  const text = execFileSync('nice', ['-n', '7', 'cat', '/proc/self/stat'], { encoding: 'utf8' })
  const own = parseProcStat(readFileSync('/proc/self/stat', 'utf8'))
  expect(own).toMatchObject({ isBackground: false })
  expect(parseProcStat(text)).toEqual({ isBackground: true, seen: 'nice 7' })
})

test('a process that is gone has no priority', async () => {
  const runTool: RunTool = async () => ({ kind: 'ended', stdout: '', failure: 'status 1' })
  const readText = () => Promise.reject(new Error('gone'))
  expect(await readPriority(1, 'darwin', { runTool, readText })).toBeNull()
  expect(await readPriority(1, 'linux', { runTool, readText })).toBeNull()
})
