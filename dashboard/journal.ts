/** What happened, the newest first, each with its reason, what to do, and what shows it. */
import type { JournalEvent } from '../src/journal.ts'
import { find, make } from './dom.ts'
import { dayTime } from './words.ts'

const SHOWN = 100
const list = find('#journal', HTMLElement)
/** What a person looks for first. */
const troubles: ReadonlySet<string> = new Set(['exit', 'hang', 'decision', 'memory', 'port'])

export function showJournal(events: readonly JournalEvent[]): void {
  list.replaceChildren(...events.toReversed().map(entry))
}

export function addEvent(event: JournalEvent): void {
  list.prepend(entry(event))
  while (list.childElementCount > SHOWN) list.lastElementChild?.remove()
}

function entry({ at, kind, message, hint, facts, evidence }: JournalEvent): HTMLElement {
  const item = make('li')
  const time = make('time', dayTime(Date.parse(at), Date.now()))
  time.dateTime = at
  const isTrouble = troubles.has(kind) && facts['cause'] !== 'asked'
  const said = make('div')
  said.append(make('span', message))
  if (hint !== null) said.append(make('p', hint, 'hint'))
  if (evidence.length > 0) {
    const details = make('details')
    details.append(
      make('summary', `The last ${evidence.length} lines`),
      make('pre', evidence.join('\n')),
    )
    said.append(details)
  }
  item.append(time, make('span', kind, isTrouble ? 'kind bad' : 'kind'), said)
  return item
}
