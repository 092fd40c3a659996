/** The log of the engine, followed only while it is open. */
import type { LogLine, LogNews } from '../src/daemon/dashboard/feed-protocol.ts'
import { find, make, setText } from './dom.ts'
import { clockTime } from './words.ts'

const MOST_LINES = 500
/** Who has scrolled up wants to read there. */
const NEAR_END_PX = 40

const details = find('#log', HTMLDetailsElement)
const words = find('#log-words', HTMLElement)
const list = find('#lines', HTMLElement)
let source: EventSource | null = null
let leftOut = 0
let isUnlocked = false

export function beginLog(): void {
  details.addEventListener('toggle', follow)
}

/** The log is its owner's: without a session it is not sent. */
export function unlockLog(isOpen: boolean): void {
  if (isOpen === isUnlocked) return
  isUnlocked = isOpen
  follow()
}

function follow(): void {
  source?.close()
  source = null
  list.replaceChildren()
  leftOut = 0
  if (!details.open) return
  setText(words, isUnlocked ? '' : 'Locked. To see it, run in a terminal: oss20bd open')
  if (!isUnlocked) return
  source = new EventSource('log')
  // After a break the newest lines come again.
  source.addEventListener('open', () => list.replaceChildren())
  source.addEventListener('lines', ({ data }) => show(JSON.parse(data)))
}

function show(news: LogNews): void {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX
  leftOut += news.leftOut
  list.append(...news.lines.slice(-MOST_LINES).map(lineOf))
  while (list.childElementCount > MOST_LINES) list.firstElementChild?.remove()
  if (isAtEnd) list.scrollTop = list.scrollHeight
  if (leftOut > 0) {
    setText(
      words,
      `${leftOut.toLocaleString('en')} lines came too fast to be shown here; engine.log has them all: oss20bd logs --engine`,
    )
  }
}

function lineOf({ atMs, level, text }: LogLine): HTMLElement {
  const line = make('div', '', `line ${level}`)
  line.append(make('span', clockTime(atMs), 'at'), text)
  return line
}
