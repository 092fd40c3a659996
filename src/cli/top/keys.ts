/** What a terminal sends for the keys that were pressed, as their names. Pure. */

/** A letter is itself, in lower case. */
export type Key = string

const NAMES: Readonly<Record<string, Key>> = {
  '\u0003': 'ctrl-c',
  '\u001A': 'ctrl-z',
  '\t': 'tab',
  '\r': 'enter',
  '\u001B': 'escape',
  '\u001B[A': 'up',
  '\u001BOA': 'up',
  '\u001B[B': 'down',
  '\u001BOB': 'down',
}

/** Several keys may come at once. A sequence that we do not know is one key without a name. */
export function keysOf(text: string): readonly Key[] {
  // oxlint-disable-next-line no-control-regex -- ESC begins what a key sends
  const sent = text.match(/\u001B(?:\[[0-9;?]*[ -/]*[@-~]|O[A-Za-z])|[\s\S]/gu) ?? []
  return sent.map((one) => NAMES[one] ?? (one.startsWith('\u001B') ? 'unknown' : one.toLowerCase()))
}
