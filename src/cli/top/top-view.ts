/** Brings together what the live view hears, what is pressed and what is shown. */
import { systemClock } from '../../clock.ts'
import { messageOf } from '../../errors.ts'
import { askDaemon, askDaemonFor } from '../control-client.ts'
import { field } from '../json.ts'
import type { Paint } from '../paint.ts'
import type { Glyphs } from '../status/bar.ts'
import { followFeed } from './feed.ts'
import { frame } from './frame.ts'
import type { Key } from './keys.ts'
import { LogTail } from './log-tail.ts'
import { Redraw } from './redraw.ts'
import type { Screen } from './screen.ts'
import { type Deed, initialTop, press, say, takeNews, type TopState } from './top-state.ts'

export interface TopOptions {
  readonly socketPath: string
  /** The folder of the logs. */
  readonly logs: string
  readonly paint: Paint
  readonly glyphs: Glyphs
}

export class TopView {
  readonly #options: TopOptions
  readonly #redraw = new Redraw(systemClock)
  readonly #log = new LogTail()
  readonly #done = new AbortController()
  #state: TopState = initialTop
  #suspend: () => void = () => undefined

  constructor(options: TopOptions) {
    this.#options = options
  }

  /** Until a key or a signal ends it. */
  async run(screen: Screen): Promise<void> {
    const { socketPath, logs, paint, glyphs } = this.#options
    this.#suspend = () => screen.suspend()
    const signal = AbortSignal.any([screen.signal, this.#done.signal])
    const clock = systemClock
    const following = Promise.all([
      followFeed({
        socketPath,
        signal,
        clock,
        onNews: (news) => this.#become(takeNews(this.#state, news, clock.monotonicMs())),
      }),
      this.#log.run(logs, signal, () => this.#redraw.ask()),
    ])
    await this.#redraw.run(signal, () => {
      const look = { paint, glyphs, nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
      screen.show(frame(this.#state, this.#log.lines, screen.size, look))
    })
    await following
  }

  onKey(key: Key): void {
    const { state, deed } = press(this.#state, key, systemClock.monotonicMs())
    this.#become(state)
    if (deed !== null) this.#carryOut(deed)
  }

  onStale(): void {
    this.#redraw.ask()
  }

  #become(state: TopState): void {
    this.#state = state
    this.#redraw.ask()
  }

  #carryOut(deed: Deed): void {
    switch (deed.kind) {
      case 'quit':
        return this.#done.abort()
      case 'suspend':
        return this.#suspend()
      case 'restart':
      case 'unload':
      case 'cancel':
        this.#do(deed).catch((error: unknown) => this.#say(messageOf(error), true))
    }
  }

  async #do(deed: Exclude<Deed, { kind: 'quit' | 'suspend' }>): Promise<void> {
    const { socketPath } = this.#options
    if (deed.kind !== 'cancel') {
      await askDaemon(socketPath, 'POST', `/${deed.kind}`)
      return this.#say(
        deed.kind === 'restart' ? 'Restarting the engine' : 'Unloading the model',
        false,
      )
    }
    const path = `/cancel?id=${encodeURIComponent(deed.id)}`
    const { cancelled } = await askDaemonFor(isCancelled, socketPath, { method: 'POST', path })
    this.#say(cancelled ? `Cancelled ${deed.id}` : `${deed.id} is over already`, !cancelled)
  }

  #say(text: string, isBad: boolean): void {
    this.#become(say(this.#state, text, isBad, systemClock.monotonicMs()))
  }
}

function isCancelled(value: unknown): value is { readonly cancelled: boolean } {
  return typeof field(value, 'cancelled') === 'boolean'
}
