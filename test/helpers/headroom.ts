/** The default settings of the memory ladder, as on a Mac. */
import type { HeadroomSettings } from '../../src/memory/headroom.ts'
import { GIB, MIB } from './memory-reading.ts'

export const headroomSettings: HeadroomSettings = {
  reserveBytes: 4 * GIB,
  tightAfterMs: 10_000,
  criticalAfterMs: 4000,
  calmAfterMs: 120_000,
  stepEveryMs: 30_000,
  swapOutBytesPerSecond: 16 * MIB,
  stalledPercent: 10,
  leakMarginBytes: GIB,
  swapFilesGrow: true,
}
