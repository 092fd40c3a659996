/** Chance that can be had again. Pure. */

/** The same throws for the same seed; `dice(n)` is one of 0 to n - 1. */
export function createDice(seed) {
  let state = seed >>> 0
  return (below) => {
    // mulberry32: all 32 bits are good, which a plain linear generator cannot say of its low ones.
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** One of `choices`, each as likely as its weight. */
export function pick(dice, choices, weightOf = () => 1) {
  const weights = choices.map((choice) => weightOf(choice))
  let at = dice(weights.reduce((sum, weight) => sum + weight, 0))
  for (const [index, weight] of weights.entries()) {
    if (at < weight) return choices[index]
    at -= weight
  }
  return choices.at(-1)
}
