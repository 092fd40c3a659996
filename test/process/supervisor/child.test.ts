import { existsSync, watch } from 'node:fs'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../../../src/clock.ts'
import type { Engine, EngineLine } from '../../../src/engine.ts'
import { readProcessIdentity } from '../../../src/process-identity.ts'
import { descendantsOf, killRecorded } from '../../../src/process-tree.ts'
import { endChild, spawnEngine, type Child } from '../../../src/supervisor/child.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { puppetEngine } from '../../helpers/puppet.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

type Clock = Parameters<typeof spawnEngine>[2]

interface Scene {
  readonly child: Child
  readonly lines: EngineLine[]
  /** Resolves when it has printed this very line. */
  readonly said: (text: string) => Promise<void>
}

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url))

/** An engine of any command; a line `FACT ...` states that it is loaded. */
function engineOf(file: string, args: readonly string[], env: Record<string, string> = {}): Engine {
  return {
    ...puppetEngine({ path: '/nowhere' }, '/nowhere'),
    command: { file, args, env: { PATH: process.env['PATH'] ?? '', ...env } },
    readLine: (text) => ({
      level: 'info',
      text,
      facts: text.startsWith('FACT') ? [{ kind: 'loaded' }] : [],
    }),
    politeExitLine: 'please leave',
  }
}

function start(engine: Engine, clock: Clock = systemClock): Scene {
  const lines: EngineLine[] = []
  const waiting = new Map<string, () => void>()
  const child = spawnEngine(
    engine,
    (line) => {
      lines.push(line)
      waiting.get(line.text)?.()
    },
    clock,
  )
  onTestFinished(async () => {
    child.kill()
    await child.exited
  })
  const said = (text: string): Promise<void> =>
    new Promise((resolve) => {
      if (lines.some((line) => line.text === text)) resolve()
      else waiting.set(text, resolve)
    })
  return { child, lines, said }
}

function shell(script: string, clock: Clock = systemClock): Scene {
  return start(engineOf('/bin/sh', ['-c', script]), clock)
}

/** Resolves when the file is there. */
async function appears(file: string): Promise<void> {
  const watcher = watch(file.slice(0, file.lastIndexOf('/')))
  while (!existsSync(file)) await once(watcher, 'change')
  watcher.close()
}

/** The pid that a script printed as `name PID`; whatever runs there is ended with the test. */
async function printedPid(lines: readonly EngineLine[], name: string): Promise<number> {
  const line = lines.find(({ text }) => text.startsWith(`${name} `))
  const pid = Number(line?.text.split(' ')[1])
  const identity = await readProcessIdentity(pid)
  onTestFinished(async () => void (await killRecorded([{ pid, identity: identity ?? '' }])))
  return pid
}

describe('an exit', () => {
  test('is told with code and last lines, without any wait', async () => {
    // This clock stands still: nothing that waits for it would ever end.
    const { child } = shell('echo one; echo two >&2; printf unfinished; exit 3', new FakeClock())
    const exit = await child.exited
    expect(exit).toMatchObject({ exitCode: 3, signal: null, spawnError: null })
    expect(exit.lastLines.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'one',
      'two',
      'unfinished',
    ])
  })

  test('keeps the last 50 lines of many', async () => {
    const { child } = shell('i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; kill -9 $$')
    const { signal, lastLines } = await child.exited
    expect(signal).toBe('SIGKILL')
    expect(lastLines).toEqual(Array.from({ length: 50 }, (_, index) => String(2950 + index)))
  })

  test('is told although a process that it started keeps its output open', async () => {
    const { child, lines } = shell('sleep 600 & echo sleep $!; printf "last words"; exit 3')
    const exit = await child.exited
    const pid = await printedPid(lines, 'sleep')
    expect(exit.exitCode).toBe(3)
    expect(exit.lastLines).toEqual([`sleep ${pid}`, 'last words'])
    expect(await readProcessIdentity(pid)).not.toBeNull()
  })

  test('does not end the reading of that output: nobody ever waits for us', async () => {
    await using dir = await tempDir()
    const flood = `(cat <&3; yes | head -c 5000000; yes | head -c 5000000 >&2; touch ${dir.file('done')}) 3<&0 &`
    const { child } = shell(`${flood} exit 3`)
    expect((await child.exited).exitCode).toBe(3)
    // Its `cat` read the end of our stdin, or it would never have got as far as to print.
    await appears(dir.file('done'))
  })

  test('ends what the process had started and left running', async () => {
    const { child, lines, said } = shell('sleep 600 & echo sleep $!; echo FACT; wait')
    await said('FACT')
    const pid = await printedPid(lines, 'sleep')
    // Twice the look that the child takes at this line.
    await descendantsOf(child.pid ?? 0)
    await descendantsOf(child.pid ?? 0)
    process.kill(child.pid ?? 0, 'SIGKILL')
    expect((await child.exited).lastLines).toEqual([`sleep ${pid}`, 'FACT'])
    expect(await readProcessIdentity(pid)).toBeNull()
    expect(lines.at(-1)).toEqual({
      level: 'warn',
      text: `(ended what the engine had started and left running: pid ${pid})`,
      facts: [],
    })
  })

  test('is not the end of its outputs', async () => {
    await using dir = await tempDir()
    const { child } = shell(`exec >&- 2>&-; touch ${dir.file('closed')}; read line; exit 7`)
    let exited = false
    void child.exited.then(() => (exited = true))
    await appears(dir.file('closed'))
    await settle()
    expect(exited).toBe(false)
    child.askToLeave()
    expect(await child.exited).toMatchObject({ exitCode: 7, lastLines: [] })
  })
})

describe('an end by us', () => {
  test.each(['terminate', 'kill'] as const)('%s reaches all generations', async (how) => {
    const script = 'sh -c "sleep 600 & echo sleep \\$!; echo up; wait; :"; :'
    const { child, lines, said } = shell(script)
    await said('up')
    const tree = await descendantsOf(child.pid ?? 0)
    expect(tree).toHaveLength(2)
    const pid = await printedPid(lines, 'sleep')
    child[how]()
    expect((await child.exited).signal).toBe(how === 'kill' ? 'SIGKILL' : 'SIGTERM')
    expect(await readProcessIdentity(pid)).toBeNull()
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([])
  })

  test('a closed stdin is survived: the process is ended without the request', async () => {
    await using dir = await tempDir()
    const { child } = shell(`exec <&-; touch ${dir.file('closed')}; exec sleep 600`)
    await appears(dir.file('closed'))
    const graces = { exitGraceMs: 20, termGraceMs: 10_000 }
    expect(await endChild(child, true, graces, systemClock)).toBe('SIGTERM')
    expect(child.askToLeave()).toBe(false)
  })

  test('what ignores everything is killed', async () => {
    const { child, said } = shell('trap "" TERM; echo up; while :; do sleep 600; done')
    await said('up')
    const graces = { exitGraceMs: 20, termGraceMs: 20 }
    expect(await endChild(child, true, graces, systemClock)).toBe('SIGKILL')
  })

  test('a script that starts process after process is killed with all of them', async () => {
    const clock: Clock = {
      monotonicMs: () => systemClock.monotonicMs(),
      // Without this grace the exit is told only when nobody holds the output open any more.
      sleep: (delayMs, signal) => systemClock.sleep(delayMs === 100 ? 50_000 : delayMs, signal),
    }
    const { child, said } = shell('echo up; while :; do sleep 600 & sleep 0.002; done', clock)
    await said('up')
    while ((await descendantsOf(child.pid ?? 0)).length < 10) await settle()
    const startedMs = systemClock.monotonicMs()
    child.kill()
    expect((await child.exited).signal).toBe('SIGKILL')
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(20_000)
  })

  test('what not even SIGKILL ends is not waited for for ever', async () => {
    const stuck: Child = {
      pid: 1,
      exited: new Promise(() => undefined),
      lastLines: () => [],
      askToLeave: () => true,
      terminate: () => undefined,
      kill: () => undefined,
    }
    const clock = new FakeClock()
    const ending = endChild(stuck, true, { exitGraceMs: 10_000, termGraceMs: 2000 }, clock)
    await clock.advance(22_000)
    expect(await ending).toBe('stuck')
  })
})

describe('a start that is not possible is told as an exit', () => {
  const cases: { name: string; engine: Engine; errno: string | null }[] = [
    { name: 'no such file', engine: engineOf('/nope/llama-server', []), errno: 'ENOENT' },
    { name: 'not executable', engine: engineOf('/etc/passwd', []), errno: 'EACCES' },
    { name: 'a folder', engine: engineOf('/etc', []), errno: 'EACCES' },
    { name: 'below a file', engine: engineOf('/etc/passwd/x', []), errno: 'ENOTDIR' },
    {
      name: 'too long arguments',
      engine: engineOf('/bin/sh', ['-c', ':', 'x'.repeat(2 ** 22)]),
      errno: 'E2BIG',
    },
    { name: 'a NUL in an argument', engine: engineOf('/bin/sh', ['a\0b']), errno: null },
    { name: 'a NUL in the file', engine: engineOf('/bin/s\0h', []), errno: null },
    { name: 'no name', engine: engineOf('', []), errno: null },
  ]
  test.each(cases)('$name', async ({ engine, errno }) => {
    const { child } = start(engine)
    expect(child.pid).toBeNull()
    expect(child.askToLeave()).toBe(false)
    const exit = await child.exited
    expect(exit).toMatchObject({ exitCode: null, signal: null, lastLines: [] })
    expect(exit.spawnError?.errno).toBe(errno)
    expect(exit.spawnError?.message).not.toBe('')
  })

  test('a value of the environment is not quoted', async () => {
    const { child } = start(engineOf('/bin/sh', [], { TOKEN: 'secret\0' }))
    const { spawnError } = await child.exited
    expect(spawnError?.message).toMatch('TOKEN')
    expect(spawnError?.message).not.toMatch('secret')
  })

  test('no file descriptors left: told, nothing leaks, and the next start works', async () => {
    const script = 'ulimit -n 128 && exec "$0" "$@"'
    const args = ['-c', script, process.execPath, fixture('starved-spawn.mjs'), '/bin/pwd']
    const { stdout, stderr } = await execa('/bin/sh', args)
    const told: unknown = JSON.parse(stdout)
    const error = { errno: 'EMFILE', message: 'spawn /bin/pwd EMFILE' }
    expect(told).toMatchObject({
      starved: Array.from({ length: 5 }, () => ({ exitCode: null, spawnError: error })),
      fed: { exitCode: 0, spawnError: null },
      leakedFiles: 0,
    })
    expect(stderr).toBe('')
  })
})

const costSchema = z.object({
  exitCode: z.number(),
  lastLines: z.array(z.string()),
  lines: z.number(),
  warnings: z.number(),
  grownMiB: z.number(),
  p99DelayMs: z.number(),
})

test.each([
  { what: 'lines of 150 bytes', lineBytes: 150 },
  { what: 'lines of 10 MB', lineBytes: 10_000_000 },
])(
  '200 MB of $what on each pipe: bounded memory, a free event loop, and the last words are kept',
  async ({ lineBytes }) => {
    const args = [String(200 * 2 ** 20), String(lineBytes), 'stdout,stderr']
    const { stdout } = await execa(process.execPath, [fixture('flood-reader.mjs'), ...args])
    const cost = costSchema.parse(JSON.parse(stdout))
    expect(cost.exitCode).toBe(3)
    expect(cost.lastLines).toContain('the last line of stdout')
    expect(cost.lastLines).toContain('the last line of stderr')
    // Alone it is 50 MiB at most and 10 ms; here it shares two cores with the flood itself and whatever else runs.
    expect(cost.grownMiB).toBeLessThan(100)
    expect(cost.p99DelayMs).toBeLessThan(60)
  },
)
