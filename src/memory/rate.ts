/** How fast a counter grew from one reading to the next. Pure. */
import { type Answer, known, unknown } from './answer.ts'
import type { Change } from './paced-source.ts'

/** Per second. A counter that went back was set to zero, or another one is read now: nobody knows what it missed. */
export function ratePerSecond<Value>(
  change: Change<Value> | null,
  name: string,
  pick: (value: Value) => number | null,
): Answer<number> {
  if (change === null) return unknown('a rate needs two readings')
  const before = pick(change.from.value)
  const now = pick(change.to.value)
  const elapsedMs = change.to.atMs - change.from.atMs
  if (before === null || now === null) return unknown(`${name} is not told`)
  if (now < before) return unknown(`${name} went back from ${before} to ${now}`)
  return elapsedMs > 0
    ? known(((now - before) * 1000) / elapsedMs)
    : unknown('no time has passed between the two readings')
}
