/** The real daemon as a child in a home of its own: what its user sees, and events to wait for. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { execa } from 'execa'
import { expect, type TestContext } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { askDaemon, watchDaemon } from '../../src/cli/control-client.ts'
import type { Story } from '../../src/cli/journal-story.ts'
import type { ControlVerb, Status } from '../../src/daemon/control-protocol.ts'
import { lastEvents } from '../../src/journal-files.ts'
import type { JournalEvent, JournalKind } from '../../src/journal.ts'
import { binFile, freePort } from './cli.ts'
import { tempDir, type TempDir } from './temp-dir.ts'

export interface DaemonSceneOptions {
  readonly onTestFinished: TestContext['onTestFinished']
  /** Config keys to values, as `'engine.path'` to a path. */
  readonly config: Readonly<Record<string, unknown>>
  /** Puts what is needed into the home (a model at `models/current`) before the daemon starts. */
  readonly prepare: (home: TempDir) => Promise<void>
  /** How many files the daemon may have open. */
  readonly maxOpenFiles?: number
  /** A line of shell that the daemon's process runs first. */
  readonly entering?: string
}

export interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Answer {
  readonly status: number
  readonly retryAfter: string | null
  readonly body: string
}

/** What a user sees at one moment. */
export interface Seen {
  readonly status: Status
  /** `oss20bd why`, as it is shown. */
  readonly why: string
  readonly events: readonly JournalEvent[]
}

/** A fault that is not over by then never will be. */
const patienceMs = 25_000
const lookEveryMs = 20

/** Starts it, and resolves when it listens. Nothing of it is left when the test ends. */
export async function daemonScene(options: DaemonSceneOptions): Promise<DaemonScene> {
  const { onTestFinished, config, prepare, maxOpenFiles, entering } = options
  const first = entering ?? (maxOpenFiles === undefined ? null : `ulimit -n ${maxOpenFiles}`)
  const home = await tempDir()
  const port = await freePort()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await prepare(home)
  await writeFile(home.file('config.toml'), configText({ 'proxy.port': port, ...config }))
  const scene = new DaemonScene(home, port, spawnDaemon(home, first))
  onTestFinished(() => scene.end())
  await scene.listening
  return scene
}

/** A config file, with a section for each first half of a key. */
export function configText(config: Readonly<Record<string, unknown>>): string {
  const sections = new Map<string, string>()
  for (const [key, value] of Object.entries(config)) {
    const [section = '', name] = key.split('.')
    const before = sections.get(section) ?? `[${section}]\n`
    sections.set(section, `${before}${name} = ${JSON.stringify(value)}\n`)
  }
  return [...sections.values()].join('\n')
}

/** `first` is a line of shell. */
function spawnDaemon(home: TempDir, first: string | null): ChildProcess {
  const command = [process.execPath, binFile, 'daemon', '--background'] as const
  const [file, ...args] =
    first === null
      ? command
      : (['/bin/bash', '-c', `${first}\nexec "$0" "$@"`, ...command] as const)
  const out = openSync(outFile(home), 'a')
  try {
    return spawn(file, args, { env: environment(home), stdio: ['ignore', out, out, 'ipc'] })
  } finally {
    closeSync(out)
  }
}

/** What Node itself says. */
function outFile(home: TempDir): string {
  return home.file('daemon.out')
}

function environment(home: TempDir): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: home.path, OSS20BD_HOME: home.path }
}

export class DaemonScene {
  readonly home: TempDir
  readonly url: string
  readonly pid: number
  readonly listening: Promise<void>
  /** How its process ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  readonly #child: ChildProcess
  readonly #socketPath: string

  constructor(home: TempDir, port: number, child: ChildProcess) {
    this.home = home
    this.url = `http://127.0.0.1:${port}`
    this.pid = child.pid ?? 0
    this.#child = child
    this.#socketPath = home.file('run', 'control.sock')
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    this.listening = this.#untilListening()
    this.listening.catch(() => undefined)
  }

  async #untilListening(): Promise<void> {
    const report: unknown = await Promise.race([
      once(this.#child, 'message').then(([message]: unknown[]) => message),
      this.ended,
    ])
    const kind = report instanceof Object && 'kind' in report ? report.kind : null
    if (kind === 'listening') return
    throw new Error(`The daemon did not start: ${await this.#tell()}`)
  }

  get isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name)
  }

  async end(): Promise<void> {
    // Killed while it is stopped it would leave its engine no end of stdin to read.
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGKILL')
    await this.ended
  }

  async oss20bd(...args: readonly string[]): Promise<Ended> {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [binFile, ...args], {
      reject: false,
      extendEnv: false,
      env: environment(this.home),
    })
    return { exitCode: exitCode ?? null, stdout, stderr }
  }

  async status(): Promise<Status> {
    const { stdout } = await this.oss20bd('status', '--json')
    return JSON.parse(stdout)
  }

  async why(): Promise<Story> {
    const { stdout } = await this.oss20bd('why', '--json')
    return JSON.parse(stdout)
  }

  /** All of `oss20bd events --json`. */
  async events(): Promise<readonly JournalEvent[]> {
    const { stdout } = await this.oss20bd('events', '--json', '-n', '1000')
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): JournalEvent => JSON.parse(line))
  }

  /** The same from the file. */
  journal(): Promise<readonly JournalEvent[]> {
    return lastEvents(this.home.file('logs'), 1000)
  }

  async see(): Promise<Seen> {
    const [status, why, events] = await Promise.all([
      this.status(),
      this.oss20bd('why'),
      this.events(),
    ])
    return { status, why: why.stdout, events }
  }

  /** Asks over the control socket; resolves when the daemon has begun. */
  ask(verb: ControlVerb): Promise<Status> {
    return askDaemon(this.#socketPath, 'POST', `/${verb}`)
  }

  now(): Promise<Status> {
    return askDaemon(this.#socketPath, 'GET', '/status')
  }

  /** Every Status from now on, until the daemon ends. */
  follow(): AsyncIterable<Status> {
    return watchDaemon(this.#socketPath, AbortSignal.timeout(patienceMs))
  }

  /** The first Status, from now on, of which it is so. */
  async until(isSo: (status: Status) => boolean): Promise<Status> {
    for await (const status of this.follow()) if (isSo(status)) return status
    throw new Error(`It never came to that: ${await this.#tell()}`)
  }

  /** Ready, with a process that is not this one. */
  untilReady(notPid: number | null = null): Promise<Status> {
    return this.until(({ engine }) => engine.state === 'ready' && engine.pid !== notPid)
  }

  untilState(state: Status['engine']['state']): Promise<Status> {
    return this.until(({ engine }) => engine.state === state)
  }

  /** As `until`, for what the daemon announces to nobody, as the counts of requests. */
  untilAsked(isSo: (status: Status) => boolean): Promise<Status> {
    return untilFound(async () => {
      const status = await this.now()
      return isSo(status) ? status : undefined
    }, this.#tell)
  }

  /** The first event of its kind in the journal of which it is so; `meanwhile` is done between two looks. */
  untilTold(
    kind: JournalKind,
    isSo: (event: JournalEvent) => boolean = () => true,
    meanwhile: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<JournalEvent> {
    return untilFound(async () => {
      await meanwhile()
      return (await this.journal()).find((event) => event.kind === kind && isSo(event))
    }, this.#tell)
  }

  /** The journal has become so. */
  async untilJournal(isSo: (events: readonly JournalEvent[]) => boolean): Promise<void> {
    await untilFound(async () => isSo(await this.journal()) || undefined, this.#tell)
  }

  /** The engine has logged such a line. */
  async untilLogged(line: RegExp): Promise<void> {
    const file = this.home.file('logs', 'engine.log')
    const look = async (): Promise<unknown> =>
      line.exec(await readFile(file, 'utf8').catch(() => '')) ?? undefined
    await untilFound(look, this.#tell)
  }

  /** What `work` gives; when that takes too long, an error that tells what there was instead. */
  async inTime<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController()
    const late = systemClock.sleep(patienceMs, done.signal).then(async () => {
      throw new Error(`It never came to that: ${await this.#tell()}`)
    })
    late.catch(() => undefined)
    try {
      return await Promise.race([work, late])
    } finally {
      done.abort()
    }
  }

  /** What the journal holds, for a test that waits in vain. */
  readonly #tell = async (): Promise<string> => {
    const told = (await this.journal()).map(({ at, kind, message }) => `${at} ${kind} ${message}`)
    const out = await readFile(outFile(this.home), 'utf8')
    return [this.isGone ? 'the daemon is gone' : 'the daemon is there', ...told, out].join('\n')
  }

  async post(path: string, body: object): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const retryAfter = response.headers.get('retry-after')
    return { status: response.status, retryAfter, body: await response.text() }
  }

  chat(content = 'hi'): Promise<Answer> {
    return this.post('/v1/chat/completions', {
      model: 'gpt-oss-20b',
      messages: [{ role: 'user', content }],
    })
  }
}

/** It is the same daemon as at the start, and it answers a question. */
export async function expectSound(scene: DaemonScene): Promise<void> {
  const answer = await scene.chat()
  expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('"assistant"') })
  expect((await scene.now()).daemon.pid).toBe(scene.pid)
  const daemons = (await scene.journal()).filter(({ kind }) => kind.startsWith('daemon-'))
  expect(daemons.map(({ kind }) => kind)).toEqual(['daemon-started'])
}

/** For what nobody announces: looks again and again until there is something; else tells what there was. */
async function untilFound<T>(
  look: () => Promise<T | undefined>,
  tell: () => Promise<string>,
): Promise<T> {
  const untilMs = systemClock.monotonicMs() + patienceMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (systemClock.monotonicMs() > untilMs)
      throw new Error(`It never came to that: ${await tell()}`)
    await systemClock.sleep(lookEveryMs)
  }
}
