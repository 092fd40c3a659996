/** Gives the public port of a daemon that ends to a keeper, a process that holds it until the next daemon is up. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { messageOf, Oss20bdError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Given, PortTaker } from '../../proxy/hand-over.ts'
import type { FromKeeper, KeeperOrders, ToKeeper } from './keeper-messages.ts'

const keeperFile = fileURLToPath(new URL('keeper-main.js', import.meta.url))

/** Node needs a fifth of a second to start, systemd-run as much again; a machine that swaps needs longer. */
const ANSWER_LIMIT_MS = 15_000

export interface PortKeeperProcess extends PortTaker {
  /** Resolves when the keeper has all that it was given. Never rejects. */
  letGo(): Promise<void>
}

/** Resolves when the keeper is there; it has nothing yet. Throws `service-failed` with what hinders it. */
export async function startPortKeeper(
  orders: KeeperOrders,
  environment: NodeJS.ProcessEnv,
  log: Pick<Logger, 'warn'>,
): Promise<PortKeeperProcess> {
  const [file = '', ...args] = keeperCommand(orders, environment)
  const child = spawn(file, args, {
    // launchd ends what is left of the process group of a daemon that ends.
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // JSON would make of each byte of a request a number in decimal.
    serialization: 'advanced',
    env: environment,
  })
  const keeper = new KeeperProcess(child, log)
  await keeper.said('up')
  return keeper
}

/** systemd ends all that is left of a service that ends: under it the keeper has a unit of its own. Pure. */
export function keeperCommand(
  orders: KeeperOrders,
  environment: NodeJS.ProcessEnv,
): readonly string[] {
  const command = [process.execPath, keeperFile, JSON.stringify(orders)]
  if (environment['NOTIFY_SOCKET'] === undefined) return command
  return ['systemd-run', '--user', '--scope', '--quiet', '--collect', ...command]
}

class KeeperProcess implements PortKeeperProcess {
  readonly #child: ChildProcess
  readonly #log: Pick<Logger, 'warn'>
  readonly #ended: Promise<never>
  readonly #toTake: (() => Given | null)[] = []
  #taking: Promise<void> | null = null

  constructor(child: ChildProcess, log: Pick<Logger, 'warn'>) {
    this.#child = child
    this.#log = log
    this.#ended = endOf(child)
    this.#ended.catch(() => undefined)
  }

  async takeListener(server: Server): Promise<void> {
    this.#send({ kind: 'listener' }, server)
    await this.said('accepting')
  }

  takeConnection(give: () => Given | null): void {
    this.#toTake.push(give)
    this.#taking ??= this.#takeAll()
  }

  async hasAll(): Promise<void> {
    await this.#taking
  }

  async letGo(): Promise<void> {
    await this.hasAll()
    this.#send({ kind: 'all' })
    try {
      await this.said('has-all')
    } catch (error) {
      this.#log.warn('the keeper of the port may lack connections', { error: messageOf(error) })
    }
    if (this.#child.connected) this.#child.disconnect()
    this.#child.unref()
  }

  /** Resolves when the keeper says that. */
  async said(word: FromKeeper): Promise<void> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(ANSWER_LIMIT_MS)])
    try {
      await Promise.race([this.#hears(word, signal), this.#ended])
    } catch (error) {
      throw notKept(error)
    } finally {
      over.abort()
    }
  }

  async #hears(word: FromKeeper, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [message]: unknown[] = await once(this.#child, 'message', { signal })
      if (message === word) return
    }
  }

  /** One at a time: Node would keep the others for later, and read meanwhile what their clients send. */
  async #takeAll(): Promise<void> {
    // `taking` is set before anything is taken.
    await Promise.resolve()
    for (let give = this.#toTake.shift(); give !== undefined; give = this.#toTake.shift()) {
      const given = give()
      if (given !== null) await this.#take(given)
    }
    this.#taking = null
  }

  async #take({ socket, sent }: Given): Promise<void> {
    this.#send({ kind: 'connection', sent }, socket)
    try {
      await this.said('has')
    } catch (error) {
      this.#log.warn('the keeper of the port may lack a connection', { error: messageOf(error) })
    }
  }

  #send(message: ToKeeper, handle?: Server | Socket): void {
    this.#child.send(message, handle, (error) => {
      if (error !== null)
        this.#log.warn('the keeper of the port was not reached', { error: error.message })
    })
  }
}

async function endOf(child: ChildProcess): Promise<never> {
  const [code, signal]: unknown[] = await once(child, 'exit')
  throw new Error(`it ended with ${String(signal ?? code)}`)
}

function notKept(error: unknown): Oss20bdError {
  return new Oss20bdError(
    'service-failed',
    `Cannot hand the port over: the process that keeps it does not answer (${messageOf(error)})`,
    { cause: error },
  )
}
