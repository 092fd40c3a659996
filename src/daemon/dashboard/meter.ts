/** Takes samples one after the other: each tells what happened since the one before. */
import type { Clock } from '../../clock.ts'
import type { RequestLog } from '../../proxy/accounting/request-log.ts'
import type { Snapshot } from '../metrics/state-metrics.ts'
import { type Sample, sampleOf, type Sums } from './sample.ts'

export interface MeterDoors {
  readonly snapshot: () => Promise<Snapshot>
  readonly requests: RequestLog
  readonly clock: Clock
}

/** One per pace: who looks every 2 s must not shorten what is seen every 10 s. */
export class Meter {
  readonly #doors: MeterDoors
  #before: Sums | null = null

  constructor(doors: MeterDoors) {
    this.#doors = doors
  }

  async take(): Promise<{ readonly snapshot: Snapshot; readonly sample: Sample }> {
    const { requests, clock } = this.#doors
    const snapshot = await this.#doors.snapshot()
    const now = { counters: snapshot.counters, totals: requests.totals() }
    const sample = sampleOf(clock.nowMs(), snapshot, this.#before, now)
    this.#before = now
    return { snapshot, sample }
  }
}
