/** Lets the policy live through a trace, and keeps what it saw and did. */
import { createEngine } from './engine.mjs'
import { createMac, createRecording } from './machine.mjs'

const INTERVAL_MS = 2000

/** @type {import('./run-trace.d.mts').runTrace} */
export function runTrace(trace, policy) {
  const mac = createMac()
  const moments = Array.from({ length: Math.floor((trace.seconds * 1000) / INTERVAL_MS) + 1 })
  return run(trace, policy, moments.length, (index, engine) => {
    const atMs = index * INTERVAL_MS
    const world = trace.world(atMs / 1000)
    engine.advance(atMs, ((world.leakBytesPerSecond ?? 0) * INTERVAL_MS) / 1000)
    return {
      reading: mac.read(atMs, INTERVAL_MS, world, engine),
      idle: !trace.busy(atMs / 1000),
    }
  })
}

/** @type {import('./run-trace.d.mts').runRecording} */
export function runRecording({ name, title, rows }, policy) {
  const recording = createRecording(rows)
  const firstMs = rows[0].reading.atMs
  return run({ name, title }, policy, rows.length, (index, engine) => {
    const atMs = rows[index].reading.atMs - firstMs
    engine.advance(atMs, 0)
    return { reading: recording.read(atMs, index, engine), idle: rows[index].idle }
  })
}

function run({ name, title }, { advance, initial, settings }, count, look) {
  const engine = createEngine()
  const samples = []
  const events = []
  let state = initial
  for (let index = 0; index < count; index += 1) {
    const { reading, idle } = look(index, engine)
    const view = engine.view(idle)
    const result = advance(state, { reading, engine: view }, settings)
    if (result.state.level !== state.level) {
      const why = result.state.signs.map(({ words }) => words).join('; ') || 'no sign of want'
      events.push({ atMs: reading.atMs, kind: 'level', name: result.state.level, message: why })
    }
    ;({ state } = result)
    const { action } = result
    if (action !== null) {
      events.push({
        atMs: reading.atMs,
        kind: 'action',
        name: action.kind,
        message: action.message,
      })
      engine.act(action, reading.atMs)
    }
    samples.push({ reading, level: state.level, step: state.step, engine: view })
  }
  return { name, title, samples, events, reserveBytes: settings.reserveBytes }
}
