/** systemd for real: a user manager of the test's own, also on a machine that systemd has not booted. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { execa } from 'execa'
import type { TestContext } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { tempDir, type TempDir } from './temp-dir.ts'

const managerFile = ['/lib/systemd/systemd', '/usr/lib/systemd/systemd'].find((file) =>
  existsSync(file),
)
/** systemd's own tools refuse to work without it. */
const bootedFolder = '/run/systemd/system'
const patienceMs = 30_000
const lookEveryMs = 50

/** Why there can be none here; null when there can. */
export function whyNoUserManager(): string | null {
  if (managerFile === undefined) return 'systemd is not installed'
  if (spawnSync('systemd-notify', ['--version']).status !== 0) return 'there is no systemd-notify'
  if (existsSync(bootedFolder)) return null
  return process.getuid?.() === 0 ? null : 'only root can start systemd where it has not booted'
}

export class UserManager {
  readonly home: TempDir
  readonly #child: ChildProcess

  constructor(home: TempDir, child: ChildProcess) {
    this.home = home
    this.#child = child
  }

  /** What a shell of that user has. */
  get env(): Record<string, string> {
    return environment(this.home)
  }

  async systemctl(...args: readonly string[]): Promise<string> {
    const { stdout } = await execa('systemctl', ['--user', ...args], {
      env: this.env,
      extendEnv: false,
      reject: false,
    })
    return stdout
  }

  property(unit: string, name: string): Promise<string> {
    return this.systemctl('show', unit, '--property', name, '--value')
  }

  /** The first value of it for which that is so. */
  async untilProperty(
    unit: string,
    name: string,
    isSo: (value: string) => boolean,
  ): Promise<string> {
    const untilMs = systemClock.monotonicMs() + patienceMs
    for (;;) {
      const value = await this.property(unit, name)
      if (isSo(value)) return value
      if (systemClock.monotonicMs() > untilMs) {
        throw new Error(`${name} stayed ${value}:\n${await this.systemctl('status', unit)}`)
      }
      await systemClock.sleep(lookEveryMs)
    }
  }

  /** With all that it runs. */
  async end(): Promise<void> {
    await this.systemctl('exit')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), patienceMs)
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit')
    }
    clearTimeout(late)
  }
}

/** Resolves when it takes orders. Nothing of it is left when the test ends. */
export async function startUserManager(
  onTestFinished: TestContext['onTestFinished'],
): Promise<UserManager> {
  if (managerFile === undefined) throw new Error('systemd is not installed')
  if (!existsSync(bootedFolder)) mkdirSync(bootedFolder, { recursive: true })
  const home = await tempDir()
  onTestFinished(() => home[Symbol.asyncDispose]())
  await mkdir(home.file('x'), { mode: 0o700 })
  const child = spawn(managerFile, ['--user', '--log-target=null'], {
    env: environment(home),
    stdio: 'ignore',
  })
  const manager = new UserManager(home, child)
  onTestFinished(() => manager.end())
  const untilMs = systemClock.monotonicMs() + patienceMs
  while (!/running|degraded/.test(await manager.systemctl('is-system-running'))) {
    if (child.exitCode !== null || systemClock.monotonicMs() > untilMs) {
      throw new Error(`The user manager did not start: ${String(child.exitCode)}`)
    }
    await systemClock.sleep(lookEveryMs)
  }
  return manager
}

/** Settings of one test for a unit, where a user would put them. */
export async function putDropIn({ home }: UserManager, unit: string, text: string): Promise<void> {
  const folder = home.file('.config', 'systemd', 'user', `${unit}.d`)
  await mkdir(folder, { recursive: true })
  await writeFile(`${folder}/test.conf`, text)
}

function environment(home: TempDir): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home.path,
    OSS20BD_HOME: home.file('h'),
    XDG_RUNTIME_DIR: home.file('x'),
  }
}
