/** What is locked until a one-time link of `oss20bd open` has unlocked it: the buttons, the log, or the whole page. */
import type { SessionAnswer } from '../src/daemon/dashboard/feed-protocol.ts'
import { find, setText } from './dom.ts'

const gate = find('#gate', HTMLElement)
const gateSaid = find('#gate-said', HTMLElement)
const locked = find('#locked', HTMLElement)
const said = find('#said', HTMLElement)
const buttons = [...document.querySelectorAll<HTMLButtonElement>('#buttons button')]
let isOpen = false

export interface SessionListener {
  /** The page may be shown, or not any more. */
  readonly letIn: (isLetIn: boolean) => void
  readonly unlocked: (isOpen: boolean) => void
}

let listener: SessionListener = { letIn: () => undefined, unlocked: () => undefined }

export function isUnlocked(): boolean {
  return isOpen
}

/** Uses the link that the page was opened with, if there is one. */
export async function begin(tell: SessionListener): Promise<void> {
  listener = tell
  for (const button of buttons) {
    button.addEventListener('click', () => void act(button.dataset['verb'] ?? ''))
  }
  addEventListener('hashchange', () => void useLink())
  // Another tab of this browser may have been unlocked meanwhile.
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !gate.hidden) void look()
  })
  await useLink()
  await look()
}

/** A daemon that is new knows no session of the old one. */
export async function look(): Promise<void> {
  const response = await fetch('session').catch(() => null)
  if (response?.ok !== true) return
  const answer: SessionAnswer = await response.json()
  isOpen = answer.isOpen
  gate.hidden = !answer.isNeeded
  document.body.classList.toggle('locked', answer.isNeeded)
  for (const button of buttons) button.disabled = !isOpen
  setText(locked, isOpen ? '' : 'Locked. To use the buttons, run in a terminal: oss20bd open')
  listener.unlocked(isOpen)
  listener.letIn(!answer.isNeeded)
}

export async function cancel(id: string): Promise<void> {
  await post(`cancel/${encodeURIComponent(id)}`)
}

/** Only what the state allows. */
export function offer(verbs: readonly string[]): void {
  for (const button of buttons) button.hidden = !verbs.includes(button.dataset['verb'] ?? '')
}

async function useLink(): Promise<void> {
  const [, secret] = /^#open=(.+)$/.exec(location.hash) ?? []
  if (secret === undefined) return
  history.replaceState(null, '', location.pathname)
  await post('session', secret)
  await look()
}

/** `verb` as the button names it: a PageVerb. */
async function act(verb: string): Promise<void> {
  await post(`act/${verb}`)
}

async function post(path: string, body = ''): Promise<void> {
  const answer = await fetch(path, { method: 'POST', body }).catch(() => null)
  const text = answer === null ? 'Cannot reach the daemon: it is not running' : await answer.text()
  for (const place of [said, gateSaid]) setText(place, text)
  if (answer?.status === 401) await look()
}
