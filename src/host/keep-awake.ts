/** Keeps the machine from idle sleep while requests run, by a helper program that holds the assertion. */
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { type Helper, type HelperCommand, type HelperEnd, spawnHelper } from './helper.ts'

export interface KeepAwake {
  /** True while at least one request runs; as often as wanted. Never throws. */
  busy(isBusy: boolean): void
  /** Ends the helper for good; resolves when it is gone. Never rejects. */
  close(): Promise<void>
}

export interface KeepAwakeOptions {
  readonly platform: NodeJS.Platform
  /** Of the daemon: on macOS the helper leaves with it. */
  readonly pid: number
  readonly log: Pick<Logger, 'debug'>
  readonly clock: Pick<Clock, 'sleep'>
  /** How long the helper stays after the last request, so that bursts do not start one each. */
  readonly idleMs?: number
  readonly spawn?: (command: HelperCommand) => Helper
}

/** From SIGTERM to SIGKILL. */
const graceMs = 2000

/**
 * The program that holds the assertion and dies with us; null where there is none. Pure. On macOS by
 * absolute path, so that nothing on the PATH stands in for it; on Linux where the PATH has it.
 */
export function keepAwakeCommand(platform: NodeJS.Platform, pid: number): HelperCommand | null {
  if (platform === 'darwin') return { file: '/usr/bin/caffeinate', args: ['-i', '-w', String(pid)] }
  if (platform !== 'linux') return null
  const why = ['--who=oss20bd', '--why=answering a request']
  return { file: 'systemd-inhibit', args: ['--what=idle', ...why, '--mode=block', 'cat'] }
}

/**
 * One helper at most. It is started by the first request of a burst and ended `idleMs` after the last;
 * one that dies by itself is missed until the next burst, so a tool that fails costs one process a burst.
 */
export function createKeepAwake(options: KeepAwakeOptions): KeepAwake {
  return new AssertionHolder(options)
}

class AssertionHolder implements KeepAwake {
  readonly #options: KeepAwakeOptions
  readonly #command: HelperCommand | null
  /** Whether a helper may still start. */
  #mode: 'open' | 'unavailable' | 'closed' = 'open'
  #complained = false
  /** From the first request until `idleMs` after the last. */
  #inBurst = false
  #helper: Helper | null = null
  #idle: AbortController | null = null
  readonly #ending = new Set<Promise<void>>()

  constructor(options: KeepAwakeOptions) {
    this.#options = options
    this.#command = keepAwakeCommand(options.platform, options.pid)
  }

  busy(isBusy: boolean): void {
    if (this.#mode !== 'open') return
    if (!isBusy) {
      if (this.#inBurst && this.#idle === null) void this.#endWhenIdle()
      return
    }
    this.#idle?.abort()
    this.#idle = null
    if (this.#inBurst) return
    this.#inBurst = true
    this.#hold()
  }

  async close(): Promise<void> {
    this.#mode = 'closed'
    this.#idle?.abort()
    this.#release()
    await Promise.all(this.#ending)
  }

  async #endWhenIdle(): Promise<void> {
    const idle = new AbortController()
    this.#idle = idle
    try {
      await this.#options.clock.sleep(this.#options.idleMs ?? 10_000, idle.signal)
    } catch {
      return
    }
    if (this.#idle !== idle) return
    this.#idle = null
    this.#inBurst = false
    this.#release()
  }

  #hold(): void {
    if (this.#command === null) {
      this.#giveUp(`no known program does it on ${this.#options.platform}`)
      return
    }
    const helper = (this.#options.spawn ?? spawnHelper)(this.#command)
    this.#helper = helper
    void helper.ended.then((end) => this.#onEnd(helper, end))
  }

  #onEnd(helper: Helper, end: HelperEnd): void {
    // One that was let go is expected to end.
    if (this.#helper !== helper) return
    this.#helper = null
    if (end.kind === 'missing') this.#giveUp(end.message)
    else this.#complain(end.message)
  }

  #giveUp(reason: string): void {
    this.#mode = 'unavailable'
    this.#complain(reason)
  }

  #complain(reason: string): void {
    if (this.#complained) return
    this.#complained = true
    this.#options.log.debug('Cannot keep this machine awake while requests run', { reason })
  }

  #release(): void {
    const helper = this.#helper
    if (helper === null) return
    this.#helper = null
    const ended = endHelper(helper, this.#options.clock)
    this.#ending.add(ended)
    void ended.then(() => this.#ending.delete(ended))
  }
}

async function endHelper(helper: Helper, clock: Pick<Clock, 'sleep'>): Promise<void> {
  const gone = new AbortController()
  const late = clock.sleep(graceMs, gone.signal).then(
    () => helper.kill('SIGKILL'),
    () => undefined,
  )
  helper.kill('SIGTERM')
  await helper.ended
  gone.abort()
  await late
}
