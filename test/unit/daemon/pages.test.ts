import { once } from 'node:events'
import { createServer } from 'node:http'
import got from 'got'
import { expect, test } from 'vitest'
import { createMetrics } from '../../../src/daemon/metrics/metrics.ts'
import { createPages } from '../../../src/daemon/pages.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'

test('metrics that cannot be read are a 500 and a line in the log, and never the end of the daemon', async ({
  onTestFinished,
}) => {
  const metrics = createMetrics('1')
  onTestFinished(() => metrics.close())
  const log = new RecordingLogger()
  const page = createPages({
    metrics,
    snapshot: () => Promise.reject(new Error('no reading')),
    log,
    dashboard: () => ({ servePage: () => false }),
  })
  const server = createServer((req, res) => void page('/metrics', req, res))
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address instanceof Object ? address.port : 0
  const answer = await got(`http://127.0.0.1:${port}/metrics`, {
    throwHttpErrors: false,
    retry: { limit: 0 },
  })
  expect(answer.statusCode).toBe(500)
  expect(JSON.stringify(log)).toContain('no reading')
})
