import { expect, test } from 'vitest'
import { examineDaemon, noDaemon, silentDaemon } from '../../../../src/cli/doctor/daemon.ts'
import { Oss20bdError } from '../../../../src/errors.ts'
import { makeStatus, type StatusChange } from '../../../helpers/status.ts'
import { mends } from './mends.ts'

const died = (cause: 'gpu-out-of-memory' | 'killed-by-os' | 'hang') => ({
  lastExit: { cause, message: 'it died', hint: null, at: '2026-11-24T20:00:00.000Z' },
})
const closed = { port: 1234, isOpen: false, trouble: 'it is taken' }

test.each<[StatusChange, Record<string, string>]>([
  [{}, {}],
  [{ engine: { state: 'failed' } }, { 'gave-up': 'oss20bd restart' }],
  [{ engine: { state: 'refused' } }, { refused: 'oss20bd plan' }],
  [{ engine: { state: 'backoff' } }, { 'engine-dies': 'oss20bd why' }],
  [{ engine: died('gpu-out-of-memory') }, { 'out-of-memory': 'oss20bd plan' }],
  [{ engine: died('killed-by-os') }, { 'out-of-memory': 'oss20bd plan' }],
  [{ engine: died('hang') }, {}],
  [{ engine: { safeMode: true } }, { 'safe-mode': 'oss20bd restart' }],
  [{ memory: { level: 'critical' } }, { 'memory-critical': 'oss20bd plan' }],
  [{ memory: { level: 'tight' } }, { 'memory-tight': 'oss20bd plan' }],
  [{ proxy: { alsoListening: [closed] } }, { 'side-port-closed': 'oss20bd config' }],
  [{ proxy: { failed: 3 } }, { 'requests-failed': 'oss20bd requests' }],
])('a daemon whose status is %j', (change, found) => {
  expect(mends(examineDaemon(makeStatus(change)).findings)).toEqual(found)
})

test('a model that does not fit is told with what would', () => {
  const engine = {
    state: 'refused',
    detail: 'Cannot load',
    hint: 'set model.contextTokens',
  } as const
  expect(examineDaemon(makeStatus({ engine })).findings[0]?.why).toBe(
    'Cannot load. set model.contextTokens',
  )
})

test('no daemon is something to start, on another port when somebody has this one', () => {
  expect(mends(noDaemon(8020, null).findings)).toEqual({ 'not-running': 'oss20bd start' })
  expect(mends(noDaemon(null, null).findings)).toEqual({ 'not-running': 'oss20bd start' })
  expect(noDaemon(8020, { pid: 77, name: 'ollama' }).findings).toMatchObject([
    {
      id: 'port-taken',
      what: 'Another program has the port 8020: ollama',
      mend: 'oss20bd start --set proxy.port=8021',
    },
  ])
})

test('a daemon that hangs is told from one of another user', () => {
  const hangs = new Oss20bdError('timeout', 'no answer within 10 s', { hint: 'It may hang' })
  expect(mends(silentDaemon(hangs).findings)).toEqual({
    'daemon-silent': 'oss20bd restart --daemon',
  })
  const others = new Oss20bdError('state-folder', 'its socket is not yours')
  expect(mends(silentDaemon(others).findings)).toEqual({ 'daemon-of-another': 'sudo oss20bd stop' })
})
