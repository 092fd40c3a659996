import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readProcessIdentity, type RecordedProcess } from '../../src/process-identity.ts'
import {
  descendantsIn,
  descendantsOf,
  killRecorded,
  killTree,
  listProcesses,
  parsePsList,
  parseStat,
  untilGone,
  type ListedProcess,
} from '../../src/process-tree.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

function listed(pid: number, parentPid: number): ListedProcess {
  return { pid, parentPid, identity: `start of ${pid}` }
}

/** Fields 3 (state), 4 (parent) to 22 (start time) of /proc/PID/stat. */
function statLine(name: string, state: string): string {
  const between = Array.from({ length: 17 }, (_, index) => index)
  return `70 (${name}) ${state} 7 ${between.join(' ')} 4711 99 98\n`
}

describe('descendantsIn()', () => {
  it('finds all generations, parents first, in any order of the list', () => {
    const list = [listed(40, 30), listed(30, 20), listed(20, 10), listed(21, 10), listed(99, 1)]
    const found = descendantsIn(list, 10).map(({ pid }) => pid)
    expect(found.toSorted((a, b) => a - b)).toEqual([20, 21, 30, 40])
    expect(found.indexOf(30)).toBeGreaterThan(found.indexOf(20))
    expect(found.indexOf(40)).toBeGreaterThan(found.indexOf(30))
  })

  it('finds nothing below a process without children or outside of the list', () => {
    expect(descendantsIn([listed(20, 10)], 20)).toEqual([])
    expect(descendantsIn([], 20)).toEqual([])
  })

  it('ends, and never names the root, whatever circles the list holds', () => {
    const pid = fc.integer({ min: 0, max: 8 })
    fc.assert(
      fc.property(fc.array(fc.tuple(pid, pid)), pid, (pairs, root) => {
        const found = descendantsIn(
          pairs.map(([child, parent]) => listed(child, parent)),
          root,
        )
        const pids = found.map((one) => one.pid)
        expect(new Set(pids).size).toBe(pids.length)
        expect(pids).not.toContain(root)
      }),
    )
  })
})

describe('parseStat()', () => {
  test.each(['node', 'my server', 'a) S 1 2 (b', 'two\nlines', ''])('reads %j', (name) => {
    expect(parseStat(statLine(name, 'S'), 'boot')).toEqual({
      pid: 70,
      parentPid: 7,
      identity: 'boot 4711',
    })
  })

  test.each(['', '70 (node)', '70 (node) S', statLine('node', 'Z'), 'x (node) S 7'])(
    'leaves out %j',
    (stat) => {
      expect(parseStat(stat, 'boot')).toBeNull()
    },
  )
})

describe('parsePsList()', () => {
  it('reads the columns that it asks for, and leaves out what is no live process', () => {
    // Start times and states as captured on a Mac; a captured list in these very columns there is none.
    const output = [
      '    1     0 Ss   Sat Aug  1 17:46:44 2026    ',
      '  542     1 Ss   Sat Aug 11 17:48:22 2026',
      '15068   542 S+   Sat Aug  1 17:48:22 2026',
      '15069   542 Z    Sat Aug  1 17:48:22 2026',
      '15070   542 S    六  8/ 1 17:46:44 2026',
      '  PID  PPID STAT STARTED',
      '15071',
      '',
    ].join('\n')
    expect(parsePsList(output)).toEqual([
      { pid: 1, parentPid: 0, identity: 'Sat Aug  1 17:46:44 2026' },
      { pid: 542, parentPid: 1, identity: 'Sat Aug 11 17:48:22 2026' },
      { pid: 15_068, parentPid: 542, identity: 'Sat Aug  1 17:48:22 2026' },
    ])
  })
})

/** A shell, a shell below it, and a sleep below that; resolves when all run. */
async function threeGenerations(): Promise<{ root: ChildProcess; pid: number }> {
  const root = spawn('/bin/sh', ['-c', 'sh -c "sleep 600 & echo up; wait" & wait'])
  await once(root.stdout, 'data')
  const tree = await descendantsOf(root.pid ?? 0)
  onTestFinished(async () => {
    root.kill('SIGKILL')
    await killRecorded(tree)
  })
  return { root, pid: root.pid ?? 0 }
}

describe('the list of this system', () => {
  it('holds this process and its parent', async () => {
    const list = await listProcesses(process.platform)
    expect(list.find(({ pid }) => pid === process.pid)?.parentPid).toBe(process.ppid)
  })

  it('shows all generations', async () => {
    const { pid } = await threeGenerations()
    expect(descendantsIn(await listProcesses(process.platform), pid)).toHaveLength(2)
  })
})

describe('killTree()', () => {
  it('ends the root first and then all that came from it', async () => {
    const { root, pid } = await threeGenerations()
    const tree = await descendantsOf(pid)
    const order: string[] = []
    const spy = vi.spyOn(process, 'kill')
    onTestFinished(() => spy.mockRestore())
    const report = await killTree(
      {
        pid,
        known: [],
        kill: (signal) => {
          order.push(`${signal} to the root, ${spy.mock.calls.length} to others`)
          root.kill(signal)
        },
      },
      'SIGKILL',
      systemClock,
    )
    expect(order).toEqual(['SIGSTOP to the root, 0 to others', 'SIGKILL to the root, 0 to others'])
    expect(report).toEqual({ signalled: tree, spared: [] })
    expect(await untilGone(tree, 10_000, systemClock)).toEqual([])
  })

  it('ends what was known earlier and can no longer be found', async () => {
    const { root, pid } = await threeGenerations()
    const known = await descendantsOf(pid)
    root.kill('SIGKILL')
    await once(root, 'exit')
    expect(await descendantsOf(pid)).toEqual([])
    await killTree({ pid, known, kill: () => undefined }, 'SIGKILL', systemClock)
    expect(await untilGone(known, 10_000, systemClock)).toEqual([])
  })

  it('ends the root in time also when processes cannot be listed', async () => {
    const killed = vi.fn<(signal: NodeJS.Signals) => void>()
    // A clock on which every wait is over at once stands for a list that never comes.
    const clock = { sleep: () => Promise.resolve() }
    const report = await killTree({ pid: process.pid, known: [], kill: killed }, 'SIGTERM', clock)
    expect(killed).toHaveBeenCalledWith('SIGTERM')
    expect(report).toEqual({ signalled: [], spared: [] })
  })
})

describe('killRecorded()', () => {
  it('spares a process that has only the pid of the recorded one', async () => {
    const { root, pid } = await threeGenerations()
    const report = await killRecorded([{ pid, identity: 'started earlier' }])
    expect(report).toEqual({ signalled: [], spared: [] })
    expect(root.exitCode ?? root.signalCode).toBeNull()
  })

  it('tells whom it may not end', async () => {
    const { pid } = await threeGenerations()
    const recorded: RecordedProcess = { pid, identity: (await readProcessIdentity(pid)) ?? '' }
    const spy = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
    })
    onTestFinished(() => spy.mockRestore())
    expect(await killRecorded([recorded])).toEqual({ signalled: [], spared: [recorded] })
  })
})

test('the wait for an end is bounded', async () => {
  const self: RecordedProcess = {
    pid: process.pid,
    identity: (await readProcessIdentity(process.pid)) ?? '',
  }
  const clock = new FakeClock()
  const tick = async (delayMs: number): Promise<void> => clock.advance(delayMs)
  const left = await untilGone([self], 10_000, {
    monotonicMs: () => clock.monotonicMs(),
    sleep: tick,
  })
  expect(left).toEqual([self])
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000)
})
