/** What happened, the newest first, each with its reason, what to do, and what shows it. */
import type { JournalEvent } from '../src/journal.ts'
import { find, make } from './dom.ts'

const SHOWN = 100
const list = find('#journal', HTMLElement)

export function showJournal(events: readonly JournalEvent[]): void {
  list.replaceChildren(...events.toReversed().map(entry))
}

export function addEvent(event: JournalEvent): void {
  list.prepend(entry(event))
  while (list.childElementCount > SHOWN) list.lastElementChild?.remove()
}

function entry({ at, kind, message, hint, evidence }: JournalEvent): HTMLElement {
  const item = make('li')
  const time = make('time', new Date(at).toLocaleString())
  time.dateTime = at
  item.append(time, make('span', kind, 'kind'), make('span', message))
  if (hint !== null) item.append(make('p', hint, 'hint'))
  if (evidence.length > 0) {
    const details = make('details')
    details.append(
      make('summary', `The last ${evidence.length} lines`),
      make('pre', evidence.join('\n')),
    )
    item.append(details)
  }
  return item
}
