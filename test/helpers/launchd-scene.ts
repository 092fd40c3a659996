/** A user of a Mac as far as Linux can play one: a home, the launchctl stand-in on PATH, the real CLI and daemon. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { TestContext } from 'vitest'
import { askDaemon } from '../../src/cli/control-client.ts'
import { systemClock } from '../../src/clock.ts'
import type { Status } from '../../src/daemon/control-protocol.ts'
import { writeTestModel } from '../../src/model/test-model.ts'
import { copyProgram } from '../../src/service/copy-program.ts'
import { binFile, freePort } from './cli.ts'
import { configText } from './daemon-scene.ts'
import { puppetFile } from './puppet.ts'
import { tempDir, type TempDir } from './temp-dir.ts'

const standIns = fileURLToPath(new URL('../stand-ins/', import.meta.url))

/** What launchd is told to be like: see test/stand-ins/launchd.mjs. */
export interface World {
  readonly onDemandOnly?: boolean
  readonly switchedOff?: readonly string[]
  readonly failures?: readonly {
    readonly verb: string
    readonly code: number
    readonly times: number
  }[]
}

export interface Call {
  readonly args: readonly string[]
  readonly code: number
}

export interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

const patienceMs = 20_000
const lookEveryMs = 25

export async function launchdScene(
  onTestFinished: TestContext['onTestFinished'],
  { secondMs = 20 }: { readonly secondMs?: number } = {},
): Promise<LaunchdScene> {
  const home = await tempDir()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await mkdir(home.file('oss', 'models'), { recursive: true })
  await writeTestModel(home.file('oss', 'models', 'current'), { template: '<|channel|>' })
  const port = await freePort()
  await writeFile(
    home.file('oss', 'config.toml'),
    configText({ 'proxy.port': port, 'engine.path': puppetFile, 'engine.drainTimeout': '5s' }),
  )
  const socket = home.file('launchd.sock')
  const uid = process.getuid?.() ?? 0
  const launchd = fork(`${standIns}launchd.mjs`, [JSON.stringify({ socket, uid, secondMs })])
  const gone = once(launchd, 'exit')
  onTestFinished(async () => {
    launchd.kill('SIGTERM')
    await gone
  })
  await once(launchd, 'message')
  return new LaunchdScene(home, port, socket)
}

export class LaunchdScene {
  readonly home: TempDir
  readonly url: string
  readonly plist: string
  readonly target: string
  readonly #socket: string

  constructor(home: TempDir, port: number, socket: string) {
    this.home = home
    this.url = `http://127.0.0.1:${port}`
    this.plist = home.file('Library', 'LaunchAgents', 'dev.oss20bd.daemon.plist')
    this.target = `gui/${process.getuid?.() ?? 0}/dev.oss20bd.daemon`
    this.#socket = socket
  }

  /** Runs the command of this checkout. */
  oss20bd(...args: readonly string[]): Promise<Ended> {
    return this.oss20bdOf(binFile, ...args)
  }

  /** Runs the command of another package. */
  async oss20bdOf(bin: string, ...args: readonly string[]): Promise<Ended> {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [bin, ...args], {
      reject: false,
      extendEnv: false,
      env: this.environment(),
    })
    return { exitCode: exitCode ?? null, stdout, stderr }
  }

  environment(): Record<string, string> {
    return {
      PATH: [standIns, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
      HOME: this.home.path,
      OSS20BD_HOME: this.home.file('oss'),
      OSS20BD_TEST_PLATFORM: 'darwin',
      LAUNCHD_STAND_IN: this.#socket,
    }
  }

  async launchctl(...args: readonly string[]): Promise<Ended> {
    const { exitCode, stdout, stderr } = await execa(`${standIns}launchctl`, args, {
      reject: false,
      extendEnv: false,
      env: this.environment(),
    })
    return { exitCode: exitCode ?? null, stdout, stderr }
  }

  async set(world: World): Promise<void> {
    await this.#tell({ set: world })
  }

  /** What launchctl was called with, and how it ended, from the beginning. */
  async calls(): Promise<readonly Call[]> {
    return JSON.parse(await this.#tell({ calls: true }))
  }

  async #tell(request: object): Promise<string> {
    const socket = connect(this.#socket)
    socket.write(`${JSON.stringify(request)}\n`)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    return answer
  }

  status(): Promise<Status> {
    return askDaemon(this.home.file('oss', 'run', 'control.sock'), 'GET', '/status')
  }

  /** The first Status of which it is so. Looks again and again: a daemon comes and goes here. */
  async until(isSo: (status: Status) => boolean): Promise<Status> {
    const untilMs = systemClock.monotonicMs() + patienceMs
    for (;;) {
      const status = await this.status().catch(() => null)
      if (status !== null && isSo(status)) return status
      if (systemClock.monotonicMs() > untilMs) {
        const printed = await this.launchctl('print', this.target)
        throw new Error(`It never came to that: ${JSON.stringify(status)} ${printed.stdout}`)
      }
      await systemClock.sleep(lookEveryMs)
    }
  }

  untilReady(notPid = 0): Promise<Status> {
    return this.until(({ daemon, engine }) => daemon.pid !== notPid && engine.state === 'ready')
  }

  async ask(): Promise<number> {
    const response = await fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-oss-20b', messages: [{ role: 'user', content: 'hi' }] }),
    })
    await response.text()
    return response.status
  }

  /** Another package folder with the same program. */
  async package(name: string): Promise<string> {
    const to = this.home.file(name)
    await copyProgram({
      kind: 'copy-program',
      from: fileURLToPath(new URL('../..', import.meta.url)),
      to,
      owner: null,
    })
    return to
  }
}
