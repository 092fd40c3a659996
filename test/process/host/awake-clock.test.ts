import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'

const FIXTURE = fileURLToPath(new URL('awake-sleeper.mjs', import.meta.url))
const children: ChildProcess[] = []

interface Told {
  readonly kind: 'here' | 'wake' | 'slept'
  readonly asleepMs: number
  readonly wallJumpMs: number
  readonly baseMs: number
  readonly awakeMs: number
}

afterEach(async () => {
  await Promise.all(
    children.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }),
  )
})

/** A process that sleeps 400 ms on an awake clock with a gap of 800 ms, ticking every 20 ms. */
async function sleeper(): Promise<{ child: ChildProcess; told: Promise<Told[]> }> {
  const child = fork(FIXTURE, ['400', '800', '20'])
  children.push(child)
  const all: Told[] = []
  const told = new Promise<Told[]>((resolve) => {
    child.on('message', (message: Told) => {
      all.push(message)
      if (message.kind === 'slept') resolve(all)
    })
  })
  await once(child, 'message')
  return { child, told }
}

/** Stops it for so long in real time: that time passes is what is tested. */
async function stop(child: ChildProcess, durationMs: number): Promise<void> {
  child.kill('SIGSTOP')
  await systemClock.sleep(durationMs)
  child.kill('SIGCONT')
}

it('a process that was stopped by SIGSTOP sleeps on for what was left, and is told once', async () => {
  const { child, told } = await sleeper()
  await stop(child, 1500)
  const [, wake, slept, ...more] = await told
  expect(more).toEqual([])
  expect(wake?.kind).toBe('wake')
  expect(wake?.asleepMs).toBeGreaterThan(1400)
  expect(Math.abs(wake?.wallJumpMs ?? Number.NaN)).toBeLessThan(100)
  expect(slept?.kind).toBe('slept')
  expect(slept?.awakeMs).toBeGreaterThanOrEqual(400)
  expect(slept?.baseMs).toBeGreaterThanOrEqual((slept?.awakeMs ?? Number.NaN) + 1400)
})

it('a process that was stopped for less than the gap has lost that time', async () => {
  const { child, told } = await sleeper()
  await stop(child, 100)
  const [, slept] = await told
  expect(slept?.kind).toBe('slept')
  expect(slept?.baseMs).toBeLessThan((slept?.awakeMs ?? Number.NaN) + 50)
})
