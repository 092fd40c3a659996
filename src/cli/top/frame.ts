/** The live view as one screen: as many lines as the terminal has rows, none wider than its columns. Pure. */
import type { Now } from '../../daemon/dashboard/feed-protocol.ts'
import { formatDuration } from '../../units.ts'
import { printable } from '../log-entry.ts'
import type { Paint } from '../paint.ts'
import { plural } from '../render.ts'
import type { Glyphs } from '../status/bar.ts'
import { gpuText, headlineText, nowText, stateDye, todayText } from '../status/words.ts'
import { cutToWidth, padToWidth, widthOf } from '../text-width.ts'
import { shareRows } from './layout.ts'
import {
  clockTime,
  eventsPane,
  logPane,
  memoryPane,
  type PaneLook,
  requestsPane,
  slotsPane,
  speedPane,
} from './panes.ts'
import type { Size } from './screen.ts'
import type { AskedVerb, TopState } from './top-state.ts'

export interface FrameLook {
  readonly paint: Paint
  readonly glyphs: Glyphs
  /** The wall clock, and the monotonic one. */
  readonly nowMs: number
  readonly monotonicMs: number
}

/** Both plots fit beside each other. */
const WIDE = 100
const GAP = 2
const SAID_FOR_MS = 5000
/** It tells every two seconds. */
const SILENT_AFTER_MS = 8000

/** `log`: the last lines of the engine's log as they are in the file, oldest first. */
export function frame(
  state: TopState,
  log: readonly string[],
  { columns, rows }: Size,
  look: FrameLook,
): readonly string[] {
  const pane: PaneLook = { ...look, width: columns }
  const bottom = bottomLine(state, columns, look)
  const lines =
    state.now === null
      ? [alert(state, pane, look) ?? 'Waiting for the first news']
      : body(state, state.now, log, rows, { pane, look })
  const filled = lines.slice(0, Math.max(0, rows - 1))
  const empty = Array.from({ length: Math.max(0, rows - 1 - filled.length) }, () => '')
  return [...filled, ...empty, bottom]
}

function body(
  state: TopState,
  now: Now,
  log: readonly string[],
  rows: number,
  { pane, look }: { readonly pane: PaneLook; readonly look: FrameLook },
): readonly string[] {
  const isWide = pane.width >= WIDE
  const head = headLines(state, now, pane, look)
  const { open, recent } = now.requests
  const slots = now.slots ?? []
  const share = shareRows(
    rows,
    {
      fixed: head.length + 1,
      slots: slots.length,
      requests: 2 + open.length + recent.length,
      events: 1 + state.events.length,
      log: 1 + log.length,
    },
    isWide,
  )
  return [
    ...head,
    ...plots(state, now, share.plot, pane, isWide),
    ...slotsPane(slots.slice(0, share.slots), log, pane),
    ...requestsPane(now.requests, state.chosen, pane).slice(0, share.requests),
    ...(share.events === 0 ? [] : eventsPane(state.events, share.events, pane)),
    ...(share.log === 0 ? [] : logPane(log, share.log, pane)),
  ]
}

function headLines(state: TopState, now: Now, pane: PaneLook, look: FrameLook): readonly string[] {
  const { status } = now
  const { width } = pane
  const { engine, model, proxy, memory } = status
  const time = clockTime(look.nowMs)
  const headline = cutToWidth(printable(headlineText(status)), Math.max(1, width - time.length - 1))
  const dyed = stateDye(
    engine.state,
    look.paint,
  )(look.paint.strong(headline.slice(0, engine.state.length)))
  const gap = ' '.repeat(Math.max(1, width - widthOf(headline) - time.length))
  const name = model.testModel ? 'built-in test model, NOT gpt-oss-20b' : model.name
  const { usedBytes, utilisation } = status.gpu
  const gpu = usedBytes === null && utilisation === null ? '' : `, GPU ${gpuText(status)}`
  const todo = engine.hint ?? memory.next
  return [
    `${dyed}${headline.slice(engine.state.length)}${gap}${look.paint.dim(time)}`,
    look.paint.dim(cutToWidth(printable(`${name}, ${proxy.url}${gpu}`), width)),
    cutToWidth(
      printable(
        `${nowText(proxy)}; today ${todayText(proxy)}; ${plural(engine.restarts, 'restart')}`,
      ),
      width,
    ),
    ...(todo === null ? [] : [look.paint.warn(cutToWidth(printable(`next: ${todo}`), width))]),
    ...[alert(state, pane, look)].filter((line) => line !== null),
  ]
}

/** What is shown is no longer how it is. */
function alert(state: TopState, { width, paint }: PaneLook, look: FrameLook): string | null {
  const silentMs = look.monotonicMs - state.heardAtMs
  const ago = state.now === null ? '' : ` for ${formatDuration(Math.max(0, silentMs))}`
  if (state.lost !== null) {
    return paint.bad(
      cutToWidth(`No connection${ago}: ${printable(state.lost)}; waiting for it`, width),
    )
  }
  if (state.now === null || silentMs < SILENT_AFTER_MS) return null
  return paint.bad(cutToWidth(`No news${ago}: the daemon stands still or is busy`, width))
}

function plots(
  state: TopState,
  { status }: Now,
  rows: number,
  pane: PaneLook,
  isWide: boolean,
): readonly string[] {
  if (!isWide) {
    return [
      ...memoryPane(status.memory, state.samples, rows, pane),
      ...speedPane(status.throughput, state.samples, rows, pane),
    ]
  }
  const half = { ...pane, width: Math.floor((pane.width - GAP) / 2) }
  const left = memoryPane(status.memory, state.samples, rows, half)
  const right = speedPane(status.throughput, state.samples, rows, half)
  return left.map((line, index) => `${padToWidth(line, half.width + GAP)}${right[index] ?? ''}`)
}

const QUESTIONS: Readonly<Record<AskedVerb, string>> = {
  restart: 'Restart the engine? Apps that ask are held. y/n',
  unload: 'Unload the model? The next request loads it. y/n',
}

const KEYS = [
  ['q', 'quit'],
  ['r', 'restart'],
  ['u', 'unload'],
  ['c', 'cancel'],
  ['↑↓', 'choose'],
] as const

function bottomLine(state: TopState, width: number, { paint, monotonicMs }: FrameLook): string {
  if (state.asks !== null) return paint.warn(paint.strong(cutToWidth(QUESTIONS[state.asks], width)))
  const { said } = state
  if (said !== null && monotonicMs - said.atMs < SAID_FOR_MS) {
    return (said.isBad ? paint.bad : paint.good)(cutToWidth(printable(said.text), width))
  }
  const words = KEYS.map(([key, word]) => `${key} ${word}`).join('  ')
  if (words.length > width) return cutToWidth(words.replaceAll('  ', ' '), width)
  return KEYS.map(([key, word]) => `${paint.strong(key)} ${paint.dim(word)}`).join('  ')
}
