import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, test } from 'vitest'
import { acquireInstanceLock } from '../../../src/daemon/instance-lock.ts'
import { readProcessIdentity } from '../../../src/process-identity.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const FIXTURE = fileURLToPath(new URL('../../fixtures/lock-contender.mjs', import.meta.url))

interface Answer {
  readonly kind: 'here' | 'won' | 'lost' | 'released'
  readonly code?: string
  readonly message?: string
}

const children: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(children.splice(0).map(kill))
})

async function contender(path: string): Promise<ChildProcess> {
  const child = fork(FIXTURE, [path])
  children.push(child)
  await once(child, 'message')
  return child
}

async function ask(child: ChildProcess, message: 'acquire' | 'release'): Promise<Answer> {
  const answered: Promise<Answer[]> = once(child, 'message')
  child.send(message)
  const [answer] = await answered
  return answer!
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** What a daemon may find where its lock should be, none of it held by anybody. */
const STALE: Record<string, string> = {
  'a dead process': JSON.stringify({ pid: 2 ** 22 + 1, identity: 'boot 1', token: 'a' }),
  'a process that has got the pid since': JSON.stringify({ pid: process.pid, identity: 'boot 1' }),
  'an earlier boot': JSON.stringify({ pid: 1, identity: 'earlier-boot 1', token: 'b' }),
  garbage: '\u0000{"pid":',
  nothing: '',
}

describe('the instance lock', () => {
  it('is free after its release, and leaves no file', async () => {
    await using dir = await tempDir()
    const lock = await acquireInstanceLock(dir.file('lock'))
    await lock.release()
    await lock.release()
    expect(await readdir(dir.path)).toEqual([])
    await (await acquireInstanceLock(dir.file('lock'))).release()
  })

  it('names the process that holds it', async () => {
    await using dir = await tempDir()
    const holder = await contender(dir.file('lock'))
    expect(await ask(holder, 'acquire')).toEqual({ kind: 'won' })
    await expect(acquireInstanceLock(dir.file('lock'))).rejects.toMatchObject({
      code: 'already-running',
      message: `Cannot start oss20bd: it runs already as pid ${holder.pid}, one daemon per state folder is possible`,
    })
    expect(await readdir(dir.path)).toEqual(['lock'])
  })

  it('is taken over from a daemon that was killed', async () => {
    await using dir = await tempDir()
    const holder = await contender(dir.file('lock'))
    await ask(holder, 'acquire')
    await kill(holder)
    await (await acquireInstanceLock(dir.file('lock'))).release()
    expect(await readdir(dir.path)).toEqual([])
  })

  test.each(Object.entries(STALE))('is taken over from %s', async (_what, content) => {
    await using dir = await tempDir()
    await writeFile(dir.file('lock'), content)
    await (await acquireInstanceLock(dir.file('lock'))).release()
    expect(await readdir(dir.path)).toEqual([])
  })

  it('is not given up to another when it is not ours any more', async () => {
    await using dir = await tempDir()
    const lock = await acquireInstanceLock(dir.file('lock'))
    await writeFile(dir.file('lock'), 'somebody else’s')
    await lock.release()
    expect(await readdir(dir.path)).toEqual(['lock'])
  })

  it('says that it cannot be written', async () => {
    await using dir = await tempDir()
    await mkdir(dir.file('lock'))
    await expect(acquireInstanceLock(dir.file('lock'))).rejects.toMatchObject({
      code: 'state-folder',
      message: expect.stringContaining('Cannot take the instance lock') as unknown,
    })
    await expect(acquireInstanceLock(dir.file('no', 'lock'))).rejects.toMatchObject({
      code: 'state-folder',
    })
  })
})

it('exactly one of 8 processes takes over a stale lock, in each of 20 rounds', async () => {
  await using dir = await tempDir()
  const path = dir.file('lock')
  const contenders = await Promise.all(Array.from({ length: 8 }, () => contender(path)))
  const stale = Object.values(STALE)
  for (let round = 0; round < 20; round += 1) {
    await writeFile(path, stale[round % stale.length] ?? '')
    const answers = await Promise.all(contenders.map((child) => ask(child, 'acquire')))
    const winners = contenders.filter((_child, index) => answers[index]?.kind === 'won')
    const codes = answers.flatMap(({ code }) => code ?? [])
    expect(winners).toHaveLength(1)
    expect(codes).toEqual(Array.from({ length: 7 }, () => 'already-running'))
    expect(answers.find(({ message }) => message !== undefined)?.message).toContain(
      `pid ${winners[0]?.pid},`,
    )
    expect(await ask(winners[0]!, 'release')).toEqual({ kind: 'released' })
    expect(await readdir(dir.path)).toEqual([])
  }
})

it('a zombie does not count as running', async () => {
  // Its parent stops, so nobody collects the child that ends.
  const parent = fork(FIXTURE, ['-'], {
    execArgv: [
      '--import',
      'data:text/javascript,import{spawn}from"node:child_process";const c=spawn("sleep",["60"]);process.send({pid:c.pid})',
    ],
  })
  children.push(parent)
  const [told]: { pid: number }[] = await once(parent, 'message')
  const pid = told!.pid
  expect(await readProcessIdentity(pid)).not.toBeNull()
  parent.kill('SIGSTOP')
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => readProcessIdentity(pid)).toBeNull()
})
