import { execFileSync } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../../src/clock.ts'
import type { MemoryReading } from '../../../src/memory/memory-reading.ts'
import { createMemorySampler } from '../../../src/memory/memory-sampler.ts'
import { systemDoors } from '../../../src/memory/platform-memory.ts'
import { createToolRunner, type RunTool } from '../../../src/run-tool.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

/** A tool of that name, on a PATH of the test's own. */
async function standIn(dir: TempDir, name: string, script: string): Promise<void> {
  await writeFile(dir.file(name), `#!/bin/sh\n${script}\n`)
  await chmod(dir.file(name), 0o755)
}

function runner(dir: TempDir, clock: Pick<Clock, 'sleep'> = systemClock): RunTool {
  return createToolRunner({
    clock,
    environment: { PATH: `${dir.path}:/usr/bin:/bin`, HOME: '/nowhere' },
  })
}

/** A clock by which the deadline is over when all of these files have a line. */
function overWhenWritten(...files: string[]): Pick<Clock, 'sleep'> {
  let isFirst = true
  return {
    sleep: async (delayMs, signal) => {
      if (!isFirst) return systemClock.sleep(delayMs, signal)
      isFirst = false
      await Promise.all(files.map((file) => pidIn(file)))
    },
  }
}

/** Resolves when no process has that id any more. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(5)
  }
}

/** Waits until a tool has written its id there. */
async function pidIn(file: string): Promise<number> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text.endsWith('\n')) return Number(text)
    await sleep(5)
  }
}

describe('a tool', () => {
  it('is run in English, with nothing of our own environment', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'tool', 'echo "$LC_ALL $HOME $1 ${SECRET:-none}"')
    process.env['SECRET'] = 'x'
    expect(await runner(dir)('tool', ['a b'], { deadlineMs: 10_000 })).toEqual({
      kind: 'ended',
      stdout: 'C /nowhere a b none\n',
      failure: null,
    })
    delete process.env['SECRET']
  })

  it('that fails is told of by its first complaint, and what it printed is kept', async () => {
    await using dir = await tempDir()
    await standIn(
      dir,
      'sysctl',
      "echo 'hw.memsize: 1'; echo \"sysctl: unknown oid 'x.y'\" >&2; echo more >&2; exit 1",
    )
    expect(await runner(dir)('sysctl', [], { deadlineMs: 10_000 })).toEqual({
      kind: 'ended',
      stdout: 'hw.memsize: 1\n',
      failure: "sysctl ended with status 1: sysctl: unknown oid 'x.y'",
    })
  })

  it('that is ended by a signal, and one that is not there, are told apart', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'tool', 'kill -SEGV $$')
    expect(await runner(dir)('tool', [], { deadlineMs: 10_000 })).toMatchObject({
      failure: 'tool was ended by SIGSEGV',
    })
    expect(await runner(dir)('nvidia-smi', [], { deadlineMs: 10_000 })).toEqual({
      kind: 'failed',
      reason: 'there is no nvidia-smi here',
    })
    await writeFile(dir.file('plain'), 'no program')
    expect(await runner(dir)(dir.file('plain'), [], { deadlineMs: 10_000 })).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('cannot be started'),
    })
  })

  it('that hangs is killed at its deadline with what it started', async () => {
    await using dir = await tempDir()
    const [pid, grandchild] = [dir.file('pid'), dir.file('grandchild')]
    await standIn(
      dir,
      'tool',
      `trap '' TERM; echo $$ > ${pid}; sleep 600 & echo $! > ${grandchild}; wait`,
    )
    const run = runner(dir, overWhenWritten(pid, grandchild))
    expect(await run('tool', [], { deadlineMs: 5000 })).toEqual({
      kind: 'failed',
      reason: 'tool did not answer within 5 s',
    })
    await untilGone(await pidIn(pid))
    await untilGone(await pidIn(grandchild))
  })

  it('that hangs does not hold up the event loop', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'tool', 'exec sleep 600')
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const startedAtMs = performance.now()
    await runner(dir)('tool', [], { deadlineMs: 1000 })
    delay.disable()
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(999)
    expect(delay.percentile(50) / 1e6).toBeLessThan(100)
  })

  it('that prints without end is stopped', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'tool', `echo $$ > ${dir.file('pid')}; exec yes`)
    expect(await runner(dir)('tool', [], { deadlineMs: 20_000 })).toEqual({
      kind: 'failed',
      reason: 'tool printed without end',
    })
    await untilGone(await pidIn(dir.file('pid')))
  })

  it('that leaves a child with its output does not hold us up for longer than the deadline', async () => {
    await using dir = await tempDir()
    const pid = dir.file('pid')
    await standIn(dir, 'tool', `sleep 600 & echo $! > ${pid}`)
    const run = runner(dir, overWhenWritten(pid))
    expect(await run('tool', [], { deadlineMs: 5000 })).toMatchObject({ kind: 'failed' })
    process.kill(await pidIn(pid), 'SIGKILL')
  })

  it('is not started a second time while it runs', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'tool', 'read line < "$1"; echo done')
    const run = runner(dir)
    execFileSync('mkfifo', [dir.file('wait')])
    const first = run('tool', [dir.file('wait')], { deadlineMs: 10_000 })
    expect(await run('tool', [], { deadlineMs: 10_000 })).toEqual({
      kind: 'failed',
      reason: 'an earlier tool has not ended yet',
    })
    await writeFile(dir.file('wait'), 'go\n')
    expect(await first).toMatchObject({ stdout: 'done\n' })
    expect(await run('tool', ['/dev/null'], { deadlineMs: 10_000 })).toMatchObject({
      stdout: 'done\n',
    })
  })

  it('is killed when nobody wants to know any more', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'tool', `echo $$ > ${dir.file('pid')}; exec sleep 600`)
    const stop = new AbortController()
    const result = runner(dir)('tool', [], { deadlineMs: 60_000, signal: stop.signal })
    const pid = await pidIn(dir.file('pid'))
    stop.abort()
    expect(await result).toEqual({ kind: 'failed', reason: 'tool is not wanted any more' })
    await untilGone(pid)
  })
})

describe('readings with tools that do wrong', () => {
  /** macOS, with stand-ins for its tools. */
  function sampler(dir: TempDir, onReading: (reading: MemoryReading) => void) {
    return createMemorySampler({
      platform: 'darwin',
      enginePid: () => 7,
      engineFile: () => dir.file('llama-server'),
      diskPath: '/',
      doors: systemDoors('linux', { PATH: `${dir.path}:/usr/bin:/bin` }),
      onReading,
    })
  }

  it('have what the others tell, and leave no process behind', async () => {
    await using dir = await tempDir()
    const hang = (name: string) => `echo $$ > ${dir.file(`${name}.pid`)}; exec sleep 600`
    await standIn(dir, 'vm_stat', 'head -c 100000 /dev/urandom')
    await standIn(
      dir,
      'sysctl',
      "printf 'hw.memsize: 17179869184\\nkern.memorystatus_level: 9\\nhw.me'",
    )
    await standIn(dir, 'footprint', 'echo "footprint: Must run as root." >&2; exit 1')
    await standIn(dir, 'top', "printf 'Processes: 1\\n\\nPID    MEM  \\n7      512M+\\n'")
    await standIn(dir, 'ioreg', hang('ioreg'))
    await standIn(dir, 'llama-server', hang('llama-server'))
    const stop = new AbortController()
    let running: Promise<void> = Promise.resolve()
    const reading = await new Promise<MemoryReading>((resolve) => {
      const whole = ({ totalBytes, footprintBytes }: MemoryReading): boolean =>
        totalBytes !== null && footprintBytes !== null
      const readings = sampler(dir, (next) => whole(next) && resolve(next))
      running = readings.run(stop.signal)
    })
    expect(reading).toMatchObject({
      totalBytes: 16 * 2 ** 30,
      freePercent: 9,
      availableBytes: null,
      footprintBytes: 512 * 2 ** 20,
      gpuUsedBytes: null,
      unknown: {
        availableBytes: 'what vm_stat prints is not understood',
        pressure: 'sysctl does not tell it',
        gpuUsedBytes: 'it has not been read yet',
      },
    })
    const hanging = await Promise.all([
      pidIn(dir.file('ioreg.pid')),
      pidIn(dir.file('llama-server.pid')),
    ])
    stop.abort()
    await running
    await Promise.all(hanging.map((pid) => untilGone(pid)))
  })

  it('come from this very system as well', async () => {
    const readings = createMemorySampler({
      platform: process.platform,
      enginePid: () => process.pid,
      engineFile: () => null,
      diskPath: '/',
    })
    const { totalBytes, availableBytes, footprintBytes, freeDiskBytes } =
      await readings.sample(20_000)
    expect(totalBytes).toBeGreaterThan(2 ** 28)
    expect(availableBytes).toBeGreaterThan(0)
    expect(footprintBytes).toBeGreaterThan(2 ** 20)
    expect(freeDiskBytes).toBeGreaterThan(0)
  })
})
