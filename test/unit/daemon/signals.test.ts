import { EventEmitter } from 'node:events'
import { expect, it, test } from 'vitest'
import { onStopSignals } from '../../../src/daemon/signals.ts'

function watch() {
  const source = new EventEmitter()
  const calls: string[] = []
  const off = onStopSignals(
    { graceful: (signal) => calls.push(`graceful ${signal}`), now: () => calls.push('now') },
    source,
  )
  const send = (...signals: string[]): void => {
    for (const signal of signals) source.emit(signal, signal)
  }
  return { calls, off, send, source }
}

test.each([
  [['SIGTERM'], ['graceful SIGTERM']],
  [['SIGHUP'], ['graceful SIGHUP']],
  [
    ['SIGINT', 'SIGINT'],
    ['graceful SIGINT', 'now'],
  ],
  [
    ['SIGTERM', 'SIGINT'],
    ['graceful SIGTERM', 'now'],
  ],
  [
    ['SIGHUP', 'SIGTERM'],
    ['graceful SIGHUP', 'now'],
  ],
  [['SIGHUP', 'SIGHUP', 'SIGHUP'], ['graceful SIGHUP']],
])('%j leads to %j', (signals, expected) => {
  const { calls, send } = watch()
  send(...signals)
  expect(calls).toEqual(expected)
})

it('gives the signals back', () => {
  const { calls, off, send, source } = watch()
  off()
  send('SIGTERM')
  expect(calls).toEqual([])
  expect(source.eventNames()).toEqual([])
})
