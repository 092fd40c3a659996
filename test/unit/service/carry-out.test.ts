import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { Oss20bdError } from '../../../src/errors.ts'
import { carryOut, type CarryOutDoors } from '../../../src/service/carry-out.ts'
import type { CommandResult } from '../../../src/service/run-command.ts'
import type { RunStep, Step, WaitStep } from '../../../src/service/step.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

interface Rig {
  readonly doors: CarryOutDoors
  readonly ran: string[]
  readonly steps: string[]
  readonly sleptMs: () => number
}

/** Each command answers with the exit codes given for its first word, the last one for good. */
function rig(codes: Readonly<Record<string, readonly number[]>>, changes = {}): Rig {
  let nowMs = 0
  const ran: string[] = []
  const steps: string[] = []
  const left = new Map(Object.entries(codes).map(([name, list]) => [name, [...list]]))
  const run = (command: readonly string[]): Promise<CommandResult> => {
    ran.push(command.join(' '))
    const list = left.get(command[0] ?? '') ?? [0]
    const exitCode = list.length > 1 ? list.shift()! : list[0]!
    return Promise.resolve({ exitCode, stdout: '', stderr: '' })
  }
  const clock = {
    monotonicMs: () => nowMs,
    sleep: (delayMs: number) => {
      nowMs += delayMs
      return Promise.resolve()
    },
  }
  const daemon = {
    handOver: () => Promise.resolve(),
    end: () => Promise.resolve(true),
    startInBackground: () => Promise.resolve(),
    answers: () => Promise.resolve(true),
    ...changes,
  }
  const onStep = ({ kind }: Step): void => void steps.push(kind)
  return { doors: { run, clock, onStep, daemon }, ran, steps, sleptMs: () => nowMs }
}

const explain: RunStep['explain'] = ({ exitCode }) => ({ message: `code ${exitCode}`, hint: 'h' })

function runs(word: string, retry: RunStep['retry'] = null): RunStep {
  return { kind: 'run', command: [word], why: '', accepted: [0], retry, explain }
}

function waits(word: string): WaitStep {
  const isSo: WaitStep['isSo'] = ({ exitCode }) => exitCode === 113
  return { kind: 'wait', command: [word], until: '', isSo, limitMs: 5000, explain }
}

function plan(steps: readonly Step[], undo: readonly Step[] = []) {
  return { verb: 'install', steps, undo } as const
}

describe('commands', () => {
  test('each is run once, in order', async () => {
    const { doors, ran } = rig({})
    expect(await carryOut(plan([runs('a'), runs('b')]), doors)).toEqual({ kind: 'done' })
    expect(ran).toEqual(['a', 'b'])
  })

  test('a code that may pass is tried again with growing pauses, until it has passed', async () => {
    const { doors, ran, sleptMs } = rig({ a: [5, 36, 37, 0] })
    const retry = { codes: [5, 36, 37], limitMs: 70_000 }
    expect(await carryOut(plan([runs('a', retry)]), doors)).toEqual({ kind: 'done' })
    expect(ran).toHaveLength(4)
    expect(sleptMs()).toBe(100 + 200 + 400)
  })

  test('a code that stays is given up at the limit, another one at once', async () => {
    const retry = { codes: [5], limitMs: 70_000 }
    const stays = rig({ a: [5] })
    expect(await carryOut(plan([runs('a', retry)]), stays.doors)).toMatchObject({
      failure: { message: 'code 5' },
      after: { kind: 'as-it-is' },
    })
    expect(stays.sleptMs()).toBe(70_000)
    const other = rig({ a: [5, 125] })
    expect(await carryOut(plan([runs('a', retry)]), other.doors)).toMatchObject({
      failure: { message: 'code 125' },
    })
    expect(other.sleptMs()).toBe(100)
  })

  test('a wait looks until it is so', async () => {
    const { doors, ran } = rig({ p: [0, 0, 113] })
    expect(await carryOut(plan([waits('p')]), doors)).toEqual({ kind: 'done' })
    expect(ran).toHaveLength(3)
    expect(await carryOut(plan([waits('q')]), rig({ q: [0] }).doors)).toMatchObject({
      kind: 'failed',
      failure: { message: 'code 0' },
    })
  })
})

describe('a step that fails', () => {
  test('what was there is put back, and nothing after the step is done', async () => {
    const { doors, ran } = rig({ b: [1] })
    const outcome = await carryOut(plan([runs('a'), runs('b'), runs('c')], [runs('undo')]), doors)
    expect(outcome).toMatchObject({ kind: 'failed', after: { kind: 'restored' } })
    expect(ran).toEqual(['a', 'b', 'undo'])
  })

  test('when even that fails, it is said', async () => {
    const { doors } = rig({ b: [1], undo: [7] })
    expect(await carryOut(plan([runs('b')], [runs('undo')]), doors)).toMatchObject({
      after: { kind: 'undo-failed', failure: { message: 'code 7' } },
    })
  })

  test('a daemon in the background that does not end is not passed over', async () => {
    const { doors } = rig({}, { end: () => Promise.resolve(false) })
    const step: Step = { kind: 'end-background', pid: 77, limitMs: 10 }
    expect(await carryOut(plan([step]), doors)).toMatchObject({
      failure: {
        message: expect.stringContaining('pid 77'),
        hint: expect.stringContaining('kill'),
      },
    })
  })

  test('a daemon that says why it cannot run is not waited for', async () => {
    const failure = { message: 'the config is wrong', hint: 'mend it' }
    const { doors, sleptMs } = rig({}, { answers: () => Promise.resolve(failure) })
    const step: Step = { kind: 'await-daemon', limitMs: 60_000 }
    expect(await carryOut(plan([step]), doors)).toMatchObject({ failure })
    expect(sleptMs()).toBe(0)
    const silent = rig({}, { answers: () => Promise.resolve(false) })
    await carryOut(plan([step]), silent.doors)
    expect(silent.sleptMs()).toBe(60_000)
  })

  test('what the background start throws is a failure, a bug is thrown on', async () => {
    const step: Step = { kind: 'start-background' }
    const failing = (error: Error): CarryOutDoors => {
      const startInBackground = async (): Promise<void> => {
        throw error
      }
      return rig({}, { startInBackground }).doors
    }
    const expected = new Oss20bdError('port-taken', 'Cannot listen', { hint: 'h' })
    expect(await carryOut(plan([step]), failing(expected))).toMatchObject({
      failure: { message: 'Cannot listen', hint: 'h' },
    })
    await expect(carryOut(plan([step]), failing(new TypeError('bug')))).rejects.toThrow('bug')
  })
})

describe('files', () => {
  test('a file is written whole, with its mode, and a link in its place is not followed', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('victim'), 'untouched')
    await symlink(dir.file('victim'), dir.file('unit'))
    const step: Step = {
      kind: 'write-file',
      path: dir.file('unit'),
      text: 'new',
      mode: 0o644,
      owner: null,
    }
    expect(await carryOut(plan([step]), rig({}).doors)).toEqual({ kind: 'done' })
    const { mode } = await lstat(dir.file('unit'))
    expect(mode).toBe(0o100644)
    expect(await readFile(dir.file('unit'), 'utf8')).toBe('new')
    expect(await readFile(dir.file('victim'), 'utf8')).toBe('untouched')
    expect((await readdir(dir.path)).toSorted()).toEqual(['unit', 'victim'])
  })

  test('a folder that somebody else uses stays, and what cannot be written is named', async () => {
    await using dir = await tempDir()
    await mkdir(dir.file('service', 'of-others'), { recursive: true })
    const steps: readonly Step[] = [
      { kind: 'remove-empty-folder', path: dir.file('service') },
      { kind: 'remove-empty-folder', path: dir.file('never') },
      { kind: 'remove-file', path: dir.file('never') },
    ]
    expect(await carryOut(plan(steps), rig({}).doors)).toEqual({ kind: 'done' })
    const path = dir.file('missing', 'file')
    const write: Step = { kind: 'write-file', path, text: '', mode: 0o644, owner: null }
    expect(await carryOut(plan([write]), rig({}).doors)).toMatchObject({
      failure: { hint: `Check ${path}` },
    })
  })
})
