/** `oss20bd status --watch`: the same screen live, across restarts of the daemon. */
import { systemClock } from '../../clock.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import { formatDuration } from '../../units.ts'
import { type Context, print, say } from '../command.ts'
import { paintFor } from '../paint.ts'
import type { InstalledService } from '../service-line.ts'
import { cutToWidth } from '../text-width.ts'
import { followFeed, type News } from '../top/feed.ts'
import { onScreen, type Screen } from '../top/screen.ts'
import { Redraw } from '../top/redraw.ts'
import { screenOf } from './screen-of.ts'

/** Until Ctrl-C. The last screen stays in the terminal. */
export async function watchStatus(
  context: Context,
  first: Status,
  service: InstalledService | null,
): Promise<void> {
  if (context.json || context.stdout.isTTY !== true) return printEach(context, first, service)
  const view = new StatusView(context, first, service)
  await onScreen(process, view, (screen) => view.run(screen))
  for (const line of await view.lines(process.stdout.columns ?? 80)) print(context, line)
}

/** For a program or a file: one after the other, as they come. */
async function printEach(
  context: Context,
  first: Status,
  service: InstalledService | null,
): Promise<void> {
  const show = async (status: Status): Promise<void> => {
    if (context.json) return print(context, JSON.stringify({ ...status, service }))
    const lines = await screenOf(context, status, service, Infinity)
    print(context, `${lines.join('\n')}\n`)
  }
  await show(first)
  let told = ''
  await follow(context, new AbortController().signal, (news) => {
    if (news.kind === 'now') void show(news.now.status)
    // Once for each time that it goes away.
    else if (news.kind === 'lost' && told === '') say(context, `Waiting: ${news.why}`)
    told = news.kind === 'lost' ? news.why : ''
  })
}

class StatusView {
  readonly #context: Context
  readonly #service: InstalledService | null
  readonly #redraw = new Redraw(systemClock)
  readonly #done = new AbortController()
  #status: Status
  #lost: { readonly why: string; readonly sinceMs: number } | null = null
  #suspend: () => void = () => undefined

  constructor(context: Context, first: Status, service: InstalledService | null) {
    this.#context = context
    this.#service = service
    this.#status = first
  }

  async run(screen: Screen): Promise<void> {
    this.#suspend = () => screen.suspend()
    const ending = AbortSignal.any([screen.signal, this.#done.signal])
    const following = follow(this.#context, ending, (news) => this.#take(news))
    await this.#redraw.run(ending, async () => {
      const { columns, rows } = screen.size
      screen.show((await this.lines(columns)).slice(0, rows))
    })
    await following
  }

  async lines(columns: number): Promise<readonly string[]> {
    const lines = await screenOf(this.#context, this.#status, this.#service, columns)
    if (this.#lost === null) return lines
    const { why, sinceMs } = this.#lost
    const paint = await paintFor(this.#context.stdout, this.#context.env)
    const ago = formatDuration(systemClock.monotonicMs() - sinceMs)
    return [paint.bad(cutToWidth(`No news for ${ago}: ${why}; waiting for it`, columns)), ...lines]
  }

  onKey(key: string): void {
    if (key === 'ctrl-z') this.#suspend()
    if (key === 'ctrl-c' || key === 'q') this.#done.abort()
  }

  onStale(): void {
    this.#redraw.ask()
  }

  #take(news: News): void {
    if (news.kind === 'now') {
      this.#status = news.now.status
      this.#lost = null
    } else if (news.kind === 'lost') {
      this.#lost ??= { why: news.why, sinceMs: systemClock.monotonicMs() }
    }
    this.#redraw.ask()
  }
}

function follow(
  { paths }: Context,
  signal: AbortSignal,
  onNews: (news: News) => void,
): Promise<void> {
  return followFeed({ socketPath: paths.controlSocket, signal, clock: systemClock, onNews })
}
