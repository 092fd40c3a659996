/**
 * Tells systemd how the daemon is. Node has no datagram sockets of the unix kind, so systemd's own
 * tool sends each message: 3 ms of the event loop and 12 ms until it is there, a few times a minute.
 */
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { createToolRunner, type RunTool } from '../run-tool.ts'

/** See sd_notify(3). */
export type ServiceMessage =
  | { readonly kind: 'ready' | 'stopping' | 'alive' }
  /** One line for `systemctl status`. */
  | { readonly kind: 'status'; readonly text: string }
  /** While it stops or starts: not to be given up for so long from now on. */
  | { readonly kind: 'more-time'; readonly durationMs: number }

export interface ServiceNotify {
  /** After so long without `alive` the daemon is killed; null when nobody watches. */
  readonly watchdogMs: number | null
  /** Returns at once; never throws. What is told in quick succession is sent as one message. */
  tell(...messages: readonly ServiceMessage[]): void
  /** Sends what is left, once. Later messages are lost. Never rejects. */
  close(): Promise<void>
}

export interface ServiceNotifyOptions {
  readonly address: ServiceAddress
  readonly run: RunTool
  readonly clock: Pick<Clock, 'sleep'>
  readonly log: Pick<Logger, 'warn' | 'info'>
}

/** What systemd told this process. */
export interface ServiceAddress {
  readonly watchdogMs: number | null
  /** All that the tool gets to see: nothing of ours is in it. */
  readonly environment: Readonly<Record<string, string>>
}

type Environment = Readonly<Record<string, string | undefined>>

const TOOL = 'systemd-notify'
/** The tool waits 5 s by itself for the manager to take the message. */
const DEADLINE_MS = 10_000
/** Load progress comes many times a second; nobody reads faster than this. */
const GAP_MS = 1000
const RETRY_MS = 2000
/** systemd cuts nothing; a person's terminal does. */
const MAX_STATUS_CHARS = 200

/** null when no service manager waits to be told: launchd, a terminal, `oss20bd start`. */
export function readServiceAddress(environment: Environment, pid: number): ServiceAddress | null {
  const { PATH: path, NOTIFY_SOCKET: socket = '' } = environment
  if (socket === '') return null
  return {
    watchdogMs: readWatchdogMs(environment, pid),
    environment: { NOTIFY_SOCKET: socket, ...(path === undefined ? {} : { PATH: path }) },
  }
}

function readWatchdogMs(environment: Environment, pid: number): number | null {
  const { WATCHDOG_USEC: usec = '', WATCHDOG_PID: forPid = '' } = environment
  // Inherited from a parent it is none of our business.
  if (forPid !== '' && forPid !== String(pid)) return null
  return /^[1-9]\d*$/.test(usec) ? Number(usec) / 1000 : null
}

/** Whom the environment of this process names; nobody where there is no service manager of that kind. */
export function openServiceNotify(
  environment: Environment,
  pid: number,
  doors: Pick<ServiceNotifyOptions, 'clock' | 'log'>,
): ServiceNotify {
  const address = readServiceAddress(environment, pid)
  if (address === null) return SILENT_NOTIFY
  const run = createToolRunner({ clock: doors.clock, environment: address.environment })
  return createServiceNotify({ address, run, ...doors })
}

const SILENT_NOTIFY: ServiceNotify = {
  watchdogMs: null,
  tell: () => undefined,
  close: () => Promise.resolve(),
}

export function createServiceNotify(options: ServiceNotifyOptions): ServiceNotify {
  return new Notifier(options)
}

class Notifier implements ServiceNotify {
  readonly watchdogMs: number | null
  readonly #options: ServiceNotifyOptions
  /** The newest value of each variable that has not been sent. */
  #pending = new Map<string, string>()
  #pump: Promise<void> | null = null
  /** Ends the pause between two messages. */
  #pause: AbortController | null = null
  #mode: 'open' | 'closing' = 'open'
  #inTrouble = false

  constructor(options: ServiceNotifyOptions) {
    this.watchdogMs = options.address.watchdogMs
    this.#options = options
  }

  tell(...messages: readonly ServiceMessage[]): void {
    if (this.#mode !== 'open' || messages.length === 0) return
    for (const message of messages) {
      const [name, value] = assignment(message)
      this.#pending.set(name, value)
    }
    if (messages.some(isUrgent)) this.#pause?.abort()
    this.#pump ??= this.#send()
  }

  async close(): Promise<void> {
    this.#mode = 'closing'
    this.#pause?.abort()
    await this.#pump
  }

  async #send(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = this.#pending
      this.#pending = new Map()
      const trouble = await this.#sendBatch(batch)
      this.#note(trouble)
      // What has been told meanwhile is newer.
      if (trouble !== null) this.#pending = new Map([...batch, ...this.#pending])
      if (this.#mode === 'closing' && trouble !== null) break
      await this.#wait(trouble === null ? GAP_MS : RETRY_MS)
    }
    this.#pump = null
  }

  /** Why it could not be sent, or null. */
  async #sendBatch(batch: ReadonlyMap<string, string>): Promise<string | null> {
    const variables = [...batch].map(([name, value]) => `${name}=${value}`)
    const result = await this.#options.run(TOOL, variables, { deadlineMs: DEADLINE_MS })
    return result.kind === 'failed' ? result.reason : result.failure
  }

  /** Until the pause is over, something urgent is told, or all ends. */
  async #wait(durationMs: number): Promise<void> {
    if (this.#mode === 'closing') return
    const pause = new AbortController()
    this.#pause = pause
    await this.#options.clock.sleep(durationMs, pause.signal).catch(() => undefined)
    this.#pause = null
  }

  /** Once when it begins and once when it is over. */
  #note(trouble: string | null): void {
    const { log } = this.#options
    if (trouble !== null && !this.#inTrouble) {
      log.warn('Cannot tell systemd how the daemon is; it is tried again', { reason: trouble })
    }
    if (trouble === null && this.#inTrouble) log.info('systemd is told again how the daemon is')
    this.#inTrouble = trouble !== null
  }
}

function assignment(message: ServiceMessage): readonly [string, string] {
  switch (message.kind) {
    case 'ready':
      return ['READY', '1']
    case 'stopping':
      return ['STOPPING', '1']
    case 'alive':
      return ['WATCHDOG', '1']
    case 'status':
      return ['STATUS', oneLine(message.text)]
    case 'more-time':
      return ['EXTEND_TIMEOUT_USEC', String(Math.round(message.durationMs * 1000))]
  }
}

function isUrgent({ kind }: ServiceMessage): boolean {
  return kind === 'ready' || kind === 'stopping'
}

/** A line break would begin another variable. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(/[\u0000-\u001F\u007F]+/g, ' ').slice(0, MAX_STATUS_CHARS)
}
