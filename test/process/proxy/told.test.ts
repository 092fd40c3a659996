/** What the port tells those who watch the engine. */
import { expect, test } from 'vitest'
import { answerOf, loading, startRig, until } from '../../helpers/proxy-rig.ts'

const computeError = '{"error":{"code":500,"message":"Compute error.","type":"server_error"}}'

test('each answer is told with its run, its request and what shows an error', async () => {
  await using rig = await startRig((req, res) => {
    if (req.url === '/fine') return void res.end('words of the model')
    if (req.url === '/broken') return void res.writeHead(500).end(computeError)
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    res.write('data: {"choices":[]}\n\n')
    res.end(`data: ${computeError}\n\n`)
  })
  for (const path of ['/fine', '/broken', '/stream']) await answerOf(rig.request(path))
  expect(rig.answers).toEqual([
    { runId: 1, method: 'GET', path: '/fine', status: 200, sample: '' },
    { runId: 1, method: 'GET', path: '/broken', status: 500, sample: computeError },
    {
      runId: 1,
      method: 'GET',
      path: '/stream',
      status: 200,
      sample: `data: {"choices":[]}\n\ndata: ${computeError}\n\n`,
    },
  ])
})

test('of a long answer only a bounded part is kept', async () => {
  await using rig = await startRig((_req, res) => {
    res.writeHead(500).write('x'.repeat(5000))
    res.end('y'.repeat(5000))
  })
  await answerOf(rig.request('/long'))
  expect(rig.answers[0]?.sample).toBe('x'.repeat(1024))
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
