/** A user of a Mac as far as Linux can play one: a home, the launchctl stand-in on PATH, the real CLI and daemon. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { askDaemon } from '../../src/cli/control-client.ts'
import { systemClock } from '../../src/clock.ts'
import type { Status } from '../../src/daemon/control-protocol.ts'
import { writeTestModel } from '../../src/model/test-model.ts'
import { programName } from '../../src/service/copy-program.ts'
import { freePort } from './cli.ts'
import { configText } from './daemon-scene.ts'
import { puppetFile } from './puppet.ts'
import { tempDir, type TempDir } from './temp-dir.ts'

const standIns: string = fileURLToPath(new URL('../stand-ins/', import.meta.url))

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

const root = fileURLToPath(new URL('../..', import.meta.url))

const patienceMs = 20_000
const lookEveryMs = 25

/** What many scenes run: copied once, because thousands of small files take seconds. */
export interface Package {
  readonly folder: string
  /** As the copy that `oss20bd install` makes of it. */
  readonly name: string
}

/** This package in a folder where nobody compiles anew meanwhile. Its libraries are links: thousands of small files. */
export async function copyPackage(to: string): Promise<Package> {
  await mkdir(to)
  await symlink(join(root, 'node_modules'), join(to, 'node_modules'))
  for (const name of ['package.json', 'bin', 'dist', 'launchd', 'scripts', 'systemd']) {
    await cp(join(root, name), join(to, name), { recursive: true })
  }
  return { folder: to, name: await programName(to) }
}

/** This package as another version, or with a daemon that ends at once. */
export async function otherVersion(
  own: Package,
  to: string,
  version: string,
  daemon?: string,
): Promise<Package> {
  const manifest = JSON.parse(await readFile(join(own.folder, 'package.json'), 'utf8'))
  return changedPackage(own, to, {
    'package.json': JSON.stringify({ ...manifest, version }),
    ...(daemon === undefined ? {} : { 'dist/cli/commands/daemon.js': daemon }),
  })
}

/** With other files. Its own are no links: Node would run what they lead to. */
async function changedPackage(
  from: Package,
  to: string,
  files: Readonly<Record<string, string>>,
): Promise<Package> {
  await cp(from.folder, to, { recursive: true, verbatimSymlinks: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(to, name), text)
  return { folder: to, name: await programName(to) }
}

/** For what a whole file of tests shares: what would be done when one test is over is done when all are. */
export function finishers(): {
  readonly onFinished: OnFinished
  readonly finish: () => Promise<void>
} {
  const works: Parameters<OnFinished>[0][] = []
  return {
    onFinished: (work) => void works.push(work),
    finish: async () => {
      for (const work of works.splice(0).toReversed()) await work()
    },
  }
}

/** A test's own, or that of `finishers`. */
export type OnFinished = (work: () => void | PromiseLike<void>) => void

export interface LaunchdSceneOptions {
  readonly onTestFinished: OnFinished
  readonly package: Package
  /** How long one of launchd's seconds is. */
  readonly secondMs?: number
  /** What else is in the environment of every command. */
  readonly env?: Readonly<Record<string, string>>
  /** Whether the copy of the program is there from an earlier time: `install` then is quick. */
  readonly isCopied?: boolean
}

export async function launchdScene(options: LaunchdSceneOptions): Promise<LaunchdScene> {
  const { onTestFinished, secondMs = 20, isCopied = true } = options
  const home = await tempDir()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await mkdir(home.file('oss', 'models'), { recursive: true })
  await writeTestModel(home.file('oss', 'models', 'current'), { template: '<|channel|>' })
  const port = await freePort()
  const scene = new LaunchdScene(home, port, options)
  await scene.configure({})
  if (isCopied) await scene.putCopy(options.package)
  const launchd = fork(`${standIns}launchd.mjs`, [
    JSON.stringify({ uid: scene.uid, secondMs, exitSecondMs: 300 }),
  ])
  const gone = once(launchd, 'exit')
  onTestFinished(async () => {
    launchd.kill('SIGTERM')
    await gone
  })
  const [launchdPort]: unknown[] = await once(launchd, 'message')
  scene.launchdPort = Number(launchdPort)
  return scene
}

export class LaunchdScene {
  readonly home: TempDir
  readonly url: string
  readonly plist: string
  readonly target: string
  /** Where the stand-in of launchd answers. */
  launchdPort = 0
  readonly uid: number
  readonly port: number
  readonly #package: Package
  readonly #onTestFinished: OnFinished
  readonly #env: Readonly<Record<string, string>>

  constructor(home: TempDir, port: number, options: LaunchdSceneOptions) {
    this.home = home
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.uid = process.getuid?.() ?? 0
    this.plist = home.file('Library', 'LaunchAgents', 'dev.oss20bd.daemon.plist')
    this.target = `gui/${this.uid}/dev.oss20bd.daemon`
    this.#package = options.package
    this.#onTestFinished = options.onTestFinished
    this.#env = options.env ?? {}
  }

  /** Writes the config anew. */
  async configure(config: Readonly<Record<string, unknown>>): Promise<void> {
    const usual = {
      'proxy.port': this.port,
      'engine.path': puppetFile,
      'engine.drainTimeout': '5s',
    }
    await writeFile(this.home.file('oss', 'config.toml'), configText({ ...usual, ...config }))
  }

  /** As `oss20bd install` of that package would; only a link, as thousands of small files take seconds. */
  async putCopy({ folder, name }: Package): Promise<void> {
    const programs = this.home.file('oss', 'service', 'programs')
    await mkdir(programs, { recursive: true })
    await symlink(folder, join(programs, name))
  }

  oss20bd(...args: readonly string[]): Promise<Ended> {
    return this.oss20bdOf(this.#package, ...args)
  }

  /** Runs the command of another package. */
  async oss20bdOf({ folder }: Package, ...args: readonly string[]): Promise<Ended> {
    const bin = join(folder, 'bin', 'oss20bd')
    const { exitCode, stdout, stderr } = await execa(process.execPath, [bin, ...args], {
      reject: false,
      extendEnv: false,
      env: this.environment(),
    })
    return { exitCode: exitCode ?? null, stdout, stderr }
  }

  /** A daemon that nobody's service runs; gone when the test ends. */
  daemon(): ChildProcess {
    const bin = join(this.#package.folder, 'bin', 'oss20bd')
    const child = spawn(process.execPath, [bin, 'daemon', '--background'], {
      env: this.environment(),
      stdio: 'ignore',
    })
    this.#onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  environment(): Record<string, string> {
    return {
      PATH: [standIns, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
      HOME: this.home.path,
      OSS20BD_HOME: this.home.file('oss'),
      OSS20BD_TEST_PLATFORM: 'darwin',
      LAUNCHD_STAND_IN: String(this.launchdPort),
      ...this.#env,
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
    const socket = connect(this.launchdPort, '127.0.0.1')
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

  /** launchctl has been called so often with that verb. */
  async untilCalled(verb: string, times: number): Promise<void> {
    const countOf = async (): Promise<number> =>
      (await this.calls()).filter(({ args }) => args[0] === verb).length
    while ((await countOf()) < times) await systemClock.sleep(lookEveryMs)
  }

  /** launchctl prints that of the service. */
  async untilPrinted(text: string): Promise<void> {
    while (!(await this.launchctl('print', this.target)).stdout.includes(text))
      await systemClock.sleep(lookEveryMs)
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
}
