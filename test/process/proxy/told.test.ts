/** What the port tells those who watch the engine. */
import { expect, test } from 'vitest'
import { answerOf, loading, startRig, until } from '../../helpers/proxy-rig.ts'

const computeError = '{"error":{"code":500,"message":"Compute error.","type":"server_error"}}'
const ask = { method: 'POST', headers: { 'Content-Type': 'application/json' } }

test('each answer is told with its run, its API and whether the engine can still compute', async () => {
  await using rig = await startRig((req, res) => {
    if (req.url === '/v1/completions') return void res.end('{"choices":[]}')
    res.writeHead(500).end(computeError)
  })
  await answerOf(rig.request('/v1/completions', ask), Buffer.from('{}'))
  await answerOf(rig.request('/props'))
  await answerOf(rig.request('/v1/chat/completions', ask), Buffer.from('{}'))
  const failed = { runId: 1, api: 'chat', status: 500, isComputeError: true }
  expect(rig.answers).toEqual([
    { runId: 1, api: 'completions', status: 200, isComputeError: false },
    { runId: 1, api: null, status: 500, isComputeError: false },
    // Sent again twice: an engine that cannot compute is replaced meanwhile.
    failed,
    failed,
    failed,
  ])
})

test('it is busy from the first request with the engine to the last', async () => {
  const finish: (() => void)[] = []
  await using rig = await startRig((_req, res) => {
    finish.push(() => res.end())
  })
  const first = answerOf(rig.request('/1'))
  const second = answerOf(rig.request('/2'))
  await until(() => finish.length === 2)
  expect(rig.busy).toEqual([true])
  for (const end of finish) end()
  await Promise.all([first, second])
  await until(() => rig.busy.length === 2)
  expect(rig.busy).toEqual([true, false])
})

test('a request that waits asks for the engine; one that is answered does not', async () => {
  await using rig = await startRig(undefined)
  rig.upstream.set(loading())
  const waiting = answerOf(rig.request('/wait'))
  await until(() => rig.upstream.wakes === 1)
  await rig.startEngine((_req, res) => res.end())
  rig.upstream.set(rig.ready)
  await waiting
  await answerOf(rig.request('/again'))
  expect(rig.upstream.wakes).toBe(1)
})
