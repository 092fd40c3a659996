/** What the engine takes, and what is left, while something else goes on: looked at every second. */
import type { Clock } from '../../clock.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import type { BenchFigures } from './figures.ts'

const LOOK_EVERY_MS = 1000

/** Runs `work`. A look that fails is left out: the work is what counts, and it would fail as well. */
export async function withMemoryWatch<Value>(
  clock: Pick<Clock, 'sleep'>,
  look: () => Promise<Status>,
  work: () => Promise<Value>,
): Promise<{ readonly value: Value; readonly memory: BenchFigures['memory'] }> {
  const ended = new AbortController()
  const seen: Status['memory'][] = []
  const lookOnce = async (): Promise<void> => {
    const status = await look().catch(() => null)
    if (status !== null) seen.push(status.memory)
  }
  const watching = (async () => {
    while (!ended.signal.aborted) {
      await lookOnce()
      await clock.sleep(LOOK_EVERY_MS, ended.signal).catch(() => undefined)
    }
  })()
  try {
    const value = await work()
    await lookOnce()
    return { value, memory: extremes(seen) }
  } finally {
    ended.abort()
    await watching
  }
}

function extremes(seen: readonly Status['memory'][]): BenchFigures['memory'] {
  const footprints = known(seen.map(({ footprintBytes }) => footprintBytes))
  const left = known(seen.map(({ availableBytes }) => availableBytes))
  return {
    peakFootprintBytes: footprints.length === 0 ? null : Math.max(...footprints),
    leastAvailableBytes: left.length === 0 ? null : Math.min(...left),
    looks: seen.length,
  }
}

function known(values: readonly (number | null)[]): readonly number[] {
  return values.filter((value) => value !== null)
}
