/** A daemon in small, for the test to kill: it holds the assertion while told to, and says what it logs. */
import { openSync } from 'node:fs'
import { createKeepAwake } from '../../../dist/host/keep-awake.js'
import { systemClock } from '../../../dist/clock.js'

const keepAwake = createKeepAwake({
  platform: process.platform,
  pid: process.pid,
  clock: systemClock,
  log: { debug: (message, fields) => process.send({ message, reason: fields.reason }) },
  idleMs: 50,
})

process.on('message', (message) => {
  if (message === 'open all') {
    openAll()
    process.send('opened')
  } else if (message === 'close') {
    void keepAwake.close().then(() => process.send('closed'))
  } else {
    keepAwake.busy(message === 'busy')
  }
})
process.send('here')

/** Leaves no file descriptor. */
function openAll() {
  try {
    for (;;) openSync('/dev/null')
  } catch (error) {
    if (error.code !== 'EMFILE') throw error
  }
}
