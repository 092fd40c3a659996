/** The open requests, with a button to cancel each, and how the last ones went. */
import type { RequestRecord, RequestsAnswer, RequestView } from '../src/request-record.ts'
import { find, make, setText } from './dom.ts'
import { count, duration } from './words.ts'

const SHOWN_RECENT = 5
const body = find('#requests', HTMLElement)
const words = find('#requests-words', HTMLElement)

export interface RequestDoors {
  readonly cancel: (id: string) => void
  readonly isUnlocked: () => boolean
}

export function showRequests({ open, recent, totals }: RequestsAnswer, doors: RequestDoors): void {
  setText(
    words,
    `${open.length} open, ${count(totals.ended)} over since the daemon started, ${count(totals.generatedTokens)} tokens generated, ${count(totals.byOutcome.failed + totals.byOutcome.broken)} failed`,
  )
  const focused = document.activeElement
  const heldId =
    focused instanceof HTMLElement && body.contains(focused) ? focused.dataset['id'] : undefined
  body.replaceChildren(
    ...open.map((request) => openRow(request, doors)),
    ...recent.slice(0, SHOWN_RECENT).map(endedRow),
  )
  if (heldId === undefined) return
  // The rows are new: who was at a button stays at it.
  for (const button of body.querySelectorAll('button')) {
    if (button.dataset['id'] === heldId) button.focus()
  }
}

function openRow(request: RequestView, { cancel, isUnlocked }: RequestDoors): HTMLElement {
  const row = rowOf(request, request.isCancelled ? 'cancelling' : request.phase, request.ageMs)
  const button = make('button', 'Cancel')
  button.type = 'button'
  button.dataset['id'] = request.id
  button.disabled = !isUnlocked() || request.isCancelled
  button.setAttribute('aria-label', `Cancel ${request.id} of ${request.client}`)
  button.addEventListener('click', () => cancel(request.id))
  row.lastElementChild?.append(button)
  return row
}

function endedRow(request: RequestRecord): HTMLElement {
  return rowOf(request, request.outcome, request.tookMs)
}

function rowOf(request: RequestView | RequestRecord, now: string, forMs: number): HTMLElement {
  const row = make('tr')
  const { id, client, alias, promptTokens, generatedTokens } = request
  const tokens = `${count(promptTokens)} → ${count(generatedTokens)}`
  // The spare ones are left out where there is no room.
  row.append(make('td', id, 'spare'), make('td', client), make('td', alias ?? '–', 'spare'))
  for (const text of [now, duration(forMs), tokens, '']) row.append(make('td', text))
  return row
}
