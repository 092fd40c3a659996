import { describe, expect, it, test } from 'vitest'
import {
  isSameProcess,
  parsePsIdentity,
  parseStartTicks,
  readProcessIdentity,
} from '../../src/process-identity.ts'

/** Fields 3 (state) to 22 (start time) of /proc/PID/stat. */
function statLine(name: string, state: string): string {
  const between = Array.from({ length: 18 }, (_, index) => index)
  return `7 (${name}) ${state} ${between.join(' ')} 4711 99 98\n`
}

describe('parseStartTicks()', () => {
  test.each(['node', 'my server', 'a) S 1 2 (b', ') Z', 'two\nlines', ''])(
    'finds the start time whatever the process is called: %j',
    (name) => {
      expect(parseStartTicks(statLine(name, 'S'))).toBe('4711')
    },
  )

  test.each(['Z', 'X', 'x'])('takes state %s as gone', (state) => {
    expect(parseStartTicks(statLine('node', state))).toBeNull()
  })

  test.each(['', '7 (node)', '7 (node) S 1 2'])('gives null for what is cut short: %j', (line) => {
    expect(parseStartTicks(line)).toBeNull()
  })
})

describe('parsePsIdentity()', () => {
  test.each([
    ['Ss   Sat Aug  1 17:46:44 2026\n', 'Sat Aug  1 17:46:44 2026'],
    ['Us   Sat Aug 11 17:48:36 2026    \n', 'Sat Aug 11 17:48:36 2026'],
    ['Z    Sat Aug  1 17:46:44 2026\n', null],
    ['', null],
    ['\n', null],
    ['Ss   六  8/ 1 17:46:44 2026\n', null],
    ['Ss   Sat Aug  1 17:46\n', null],
  ])('reads %j as %j', (output, identity) => {
    expect(parsePsIdentity(output)).toBe(identity)
  })
})

describe('readProcessIdentity()', () => {
  it('is the same text each time for a process that runs', async () => {
    const identity = await readProcessIdentity(process.pid)
    expect(identity).not.toBeNull()
    expect(await readProcessIdentity(process.pid)).toBe(identity)
    expect(await isSameProcess({ pid: process.pid, identity: identity ?? '' })).toBe(true)
    expect(await isSameProcess({ pid: process.pid, identity: 'another start' })).toBe(false)
  })

  it('differs between two processes', async () => {
    expect(await readProcessIdentity(process.ppid)).not.toBe(await readProcessIdentity(process.pid))
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 22 + 1])(
    'is null where nothing can run: %d',
    async (pid) => {
      expect(await readProcessIdentity(pid)).toBeNull()
    },
  )
})
