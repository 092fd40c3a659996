/** The settings of memory and headroom: what is allowed, and each default with the reason. Pure. */
import { bytes, duration, integer, optional } from './setting.ts'

export const MEMORY_SETTINGS = {
  'memory.budget': optional(
    bytes('1GiB', '1024TiB', {
      default: null,
      reason: 'the physical memory of this machine is the right budget for most',
      description: 'The memory that the model and all other apps share',
    }),
  ),
  'memory.reserve': bytes('0B', '1024TiB', {
    default: '4GiB',
    reason: 'a browser, an editor and the system need about that much',
    description:
      'The part of memory.budget that is kept free for other apps; on a small machine a quarter of it at most',
  }),
  'memory.tightAfter': duration('0s', {
    default: '10s',
    reason: 'an app that starts may swap for a few seconds; five readings in a row are no accident',
    description: 'How long a want of memory must last before the engine is restrained',
  }),
  'memory.criticalAfter': duration('0s', {
    default: '4s',
    reason: 'at 300 MB/s the last GiB is gone in 4 s; three readings rule out a single wrong one',
    description: 'How long an acute want of memory must last before the engine is unloaded',
  }),
  'memory.calmAfter': duration('1s', {
    default: '2min',
    reason: 'loading 12 GB for nothing costs more than a wait of two minutes',
    description: 'How long memory must be at ease before one step is taken back',
  }),
  'memory.stepEvery': duration('1s', {
    default: '30s',
    reason: 'a restart of the engine needs about that long to show in the numbers',
    description: 'The shortest time between two steps against a want of memory',
  }),
  'memory.swapOutRate': bytes('1KiB', '1024GiB', {
    default: '16MiB',
    reason: 'a machine at ease writes next to nothing to swap; this is a GiB per minute',
    description:
      'Per second; swapping out so fast is a want of memory, four times as fast an acute one',
  }),
  'memory.stalledPercent': integer(1, 100, {
    default: 10,
    reason: 'programs at ease wait for memory less than 1 % of the time; at 10 % people notice',
    description:
      'The share of time in which programs wait for memory (Linux) that is a want; four times as much is an acute one',
  }),
  'memory.leakMargin': bytes('1MiB', '1024GiB', {
    default: '1GiB',
    reason: 'the plan is right within 5 %; more than this is memory that a restart gives back',
    description: 'An engine that takes so much more than planned is restarted when idle',
  }),
}
