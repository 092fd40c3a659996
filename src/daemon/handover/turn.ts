/** The turns at the public port: takes it from the daemon before, gives it to the one after, and back when none comes. */
import type { Clock } from '../../clock.ts'
import { messageOf } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { giveUpPort } from '../../port-keeper.ts'
import type { ProxyServer } from '../../proxy/proxy-server.ts'
import { type PortKeeperProcess, startPortKeeper } from './hand-over.ts'
import { listenAfterKeeper } from './take-port.ts'

export interface TurnOptions {
  readonly proxy: Pick<ProxyServer, 'listen' | 'handOver'>
  /** Where a keeper is asked for the port. */
  readonly socketPath: string
  readonly maxConnections: number
  readonly environment: NodeJS.ProcessEnv
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Aborts when this daemon has done its work. */
  readonly ending: AbortSignal
}

/** The keeper is to be there still when this daemon takes the port back. */
const SPARE_MS = 15_000

export class Turn {
  readonly #options: TurnOptions
  #keeper: Promise<PortKeeperProcess> | null = null

  constructor(options: TurnOptions) {
    this.#options = options
  }

  /** Throws as `ProxyServer.listen`. */
  listen(): Promise<{ readonly url: string }> {
    const { proxy, socketPath, clock } = this.#options
    return listenAfterKeeper(socketPath, (isComing) => proxy.listen(isComing), clock)
  }

  /** Resolves when the port is with a keeper. A daemon that lives on takes it back after `limitMs`. Throws `service-failed`. */
  async handOver(limitMs: number): Promise<void> {
    this.#keeper ??= this.#begin(limitMs)
    await this.#keeper
  }

  /** All that was given away has arrived. */
  async close(): Promise<void> {
    const keeper = await this.#keeper?.catch(() => null)
    await keeper?.letGo()
  }

  async #begin(limitMs: number): Promise<PortKeeperProcess> {
    const { proxy, socketPath, maxConnections, environment, log } = this.#options
    const orders = { socketPath, limitMs: limitMs + SPARE_MS, maxConnections }
    try {
      const keeper = await startPortKeeper(orders, environment, log)
      try {
        await proxy.handOver(keeper)
      } catch (error) {
        await Promise.all([keeper.letGo(), giveUpPort(socketPath)])
        throw error
      }
      void this.#takeBackAfter(limitMs, keeper)
      return keeper
    } catch (error) {
      this.#keeper = null
      throw error
    }
  }

  async #takeBackAfter(limitMs: number, keeper: PortKeeperProcess): Promise<void> {
    const { clock, ending, log } = this.#options
    const isDue = await clock.sleep(limitMs, ending).then(
      () => true,
      () => false,
    )
    if (!isDue) return
    log.warn('nobody took the port over: taking it back', { afterMs: limitMs })
    try {
      await keeper.letGo()
      await this.listen()
      this.#keeper = null
    } catch (error) {
      log.error('the port cannot be taken back', { error: messageOf(error) })
    }
  }
}
