/** Prompts that no engine has seen before, so that nothing is answered from what it remembers. Pure. */

const WORDS = (
  'time year people way day man thing woman life child world school state family student group country problem hand part ' +
  'place case week company system program question work government number night point home water room mother area money ' +
  'story fact month lot right study book eye job word business issue side kind head house service friend father power hour'
).split(' ')

/** `random` gives 0 to 1: two prompts of it share no beginning. */
export function distinctPrompt(words: number, random: () => number): string {
  const chosen = Array.from({ length: words }, () => WORDS[Math.floor(random() * WORDS.length)])
  return chosen.join(' ')
}

/** How many words make so many tokens, by what the engine counted for a first prompt. */
export function wordsFor(
  tokens: number,
  seen: { readonly words: number; readonly tokens: number },
): number {
  return Math.max(1, Math.round((tokens * seen.words) / seen.tokens))
}

/** The middle value; of an even count the mean of the two in the middle. null for none. */
export function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).toSorted((one, other) => one - other)
  const middle = known.slice(Math.floor((known.length - 1) / 2), Math.floor(known.length / 2) + 1)
  if (middle.length === 0) return null
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}
