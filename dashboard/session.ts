/** The buttons: locked until a one-time link of `oss20bd open` has unlocked them. */
import { find, setText } from './dom.ts'

const locked = find('#locked', HTMLElement)
const said = find('#said', HTMLElement)
const buttons = [...document.querySelectorAll<HTMLButtonElement>('#buttons button')]
let isOpen = false

export function isUnlocked(): boolean {
  return isOpen
}

/** Uses the link that the page was opened with, if there is one. */
export async function begin(): Promise<void> {
  for (const button of buttons) {
    button.addEventListener('click', () => void act(button.dataset['verb'] ?? ''))
  }
  addEventListener('hashchange', () => void useLink())
  await useLink()
  await look()
}

/** A daemon that is new knows no session of the old one. */
export async function look(): Promise<void> {
  const answer = await fetch('session').catch(() => null)
  if (answer === null) return
  isOpen = answer.ok
  for (const button of buttons) button.disabled = !isOpen
  setText(locked, isOpen ? '' : 'Locked. To use the buttons, run in a terminal: oss20bd open')
}

export async function cancel(id: string): Promise<void> {
  await post(`cancel/${encodeURIComponent(id)}`)
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
  setText(
    said,
    answer === null ? 'Cannot reach the daemon: it is not running' : await answer.text(),
  )
  if (answer?.status === 401) await look()
}
