/** An engine with the sizes and times of gpt-oss-20b, as far as the memory ladder sees one. */
import { GIB } from './units.mjs'

const WEIGHTS_BYTES = 12 * GIB
/** KV cache, compute buffers and prompt cache at the full context. */
const CONTEXT_BYTES = 1.5 * GIB
/** From 32768 tokens down to 8192. */
const MAX_CONTEXT_HALVINGS = 2
const DRAIN_MS = 4000
const LOAD_MS = 20_000

export function createEngine() {
  let state = 'ready'
  let contextHalvings = 0
  let leakedBytes = 0
  /** What follows when the present state is over. */
  let then = []

  const plannedBytes = () => WEIGHTS_BYTES + CONTEXT_BYTES / 2 ** contextHalvings
  const go = (nowMs, steps) => {
    let untilMs = nowMs
    then = steps.map(([next, lastsMs]) => {
      const step = { state: next, atMs: untilMs }
      untilMs += lastsMs
      return step
    })
  }
  const loading = [
    ['starting', LOAD_MS],
    ['ready', 0],
  ]

  return {
    /** Lets time pass; `leakBytes` is what it takes more than it should from now on. */
    advance(nowMs, leakBytes) {
      while (then.length > 0 && then[0].atMs <= nowMs) {
        ;({ state } = then.shift())
        if (state !== 'ready') leakedBytes = 0
      }
      if (state === 'ready') leakedBytes += leakBytes
    },
    /** Carries out an action as the daemon would. */
    act(action, nowMs) {
      if (action.contextHalvings !== undefined) ({ contextHalvings } = action)
      if (action.kind === 'unload')
        go(nowMs, [
          ['stopping', DRAIN_MS],
          ['asleep', 0],
        ])
      if (action.kind === 'load') go(nowMs, loading)
      const restarts = ['recycle', 'smaller-context', 'larger-context'].includes(action.kind)
      if (restarts && state === 'ready') go(nowMs, [['stopping', DRAIN_MS], ...loading])
    },
    view: (idle) => ({
      state,
      idle,
      plannedBytes: plannedBytes(),
      contextHalvings,
      maxContextHalvings: MAX_CONTEXT_HALVINGS,
    }),
    /** 0 when nothing is loaded. */
    footprintBytes: () => (state === 'asleep' ? 0 : plannedBytes() + leakedBytes),
  }
}
