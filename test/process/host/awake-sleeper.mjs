/** Sleeps once on an awake clock and tells how it went: `node awake-sleeper.mjs DELAY GAP TICK`, in ms. */
import { createAwakeClock } from '../../../dist/awake-clock.js'
import { systemClock } from '../../../dist/clock.js'

const [delayMs, gapMs, tickMs] = process.argv.slice(2).map(Number)
const clock = createAwakeClock(systemClock, {
  gapMs,
  tickMs,
  onWake: (gap) => process.send({ kind: 'wake', ...gap }),
})
const stop = new AbortController()
const ticker = clock.run(stop.signal)
const awakeAtMs = clock.monotonicMs()
const baseAtMs = systemClock.monotonicMs()
process.send({ kind: 'here' })
await clock.sleep(delayMs)
const awakeMs = Math.round(clock.monotonicMs() - awakeAtMs)
const baseMs = Math.round(systemClock.monotonicMs() - baseAtMs)
process.send({ kind: 'slept', awakeMs, baseMs })
stop.abort()
await ticker
process.disconnect()
