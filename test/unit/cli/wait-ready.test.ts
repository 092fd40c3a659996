import { expect, test } from 'vitest'
import { waitReady } from '../../../src/cli/wait-ready.ts'
import type { Status } from '../../../src/daemon/control-protocol.ts'
import { makeStatus, type StatusChange } from '../../helpers/status.ts'

async function* events(...changes: StatusChange[]): AsyncIterable<Status> {
  for (const change of changes) yield makeStatus(change)
}

const starting: StatusChange = { engine: { state: 'starting' } }

test('it resolves with the first ready status and shows each on the way', async () => {
  const shown: string[] = []
  const onStatus = (status: Status): void => void shown.push(status.engine.state)
  const status = await waitReady(
    events(starting, { engine: { state: 'backoff' } }, starting, {}, {}),
    {
      onStatus,
    },
  )
  expect(status.engine.state).toBe('ready')
  expect(shown).toEqual(['starting', 'backoff', 'starting', 'ready'])
})

test('after a restart the engine that is replaced does not count', async () => {
  const status = await waitReady(events({}, starting, { engine: { pid: 201 } }), { notPid: 200 })
  expect(status.engine.pid).toBe(201)
})

test.each([
  [
    'the engine gave up',
    [starting, { engine: { state: 'failed', detail: 'gave up: no model' } }],
    'Cannot start llama-server: gave up: no model',
  ],
  [
    'somebody stopped it',
    [starting, { wanted: 'down', engine: { state: 'stopping' } }],
    'it was stopped meanwhile',
  ],
  [
    'it does not fit',
    [starting, { engine: { state: 'refused', detail: 'Cannot load the model: 20 GiB needed' } }],
    'Cannot load the model: 20 GiB needed',
  ],
  [
    'there is no room for it now',
    [starting, { engine: { state: 'asleep', detail: 'unloaded for want of memory' } }],
    'Cannot load the model: unloaded for want of memory',
  ],
  ['the daemon ended', [starting], 'the daemon ended'],
] as [string, StatusChange[], string][])('it says so when %s', async (_what, changes, message) => {
  await expect(waitReady(events(...changes))).rejects.toThrow(message)
})

test('an engine that gave up passes on why and what to do', async () => {
  const lastExit = {
    cause: 'model-missing',
    message: 'there is no model',
    hint: 'oss20bd up',
    at: '2026-01-01T00:00:00Z',
  } as const
  await expect(waitReady(events({ engine: { state: 'failed', lastExit } }))).rejects.toMatchObject({
    message: 'Cannot start llama-server: there is no model',
    hint: 'oss20bd up',
  })
})
