/** `/metrics` of a real daemon, as Prometheus reads it. */
import { execa } from 'execa'
import got from 'got'
import { expect, test } from 'vitest'
import { puppetScene } from '../../helpers/puppet-scene.ts'

const { failed: isMissing } = await execa('promtool', ['--version'], { reject: false })
const leftOut = isMissing ? ' (left out: no promtool, of the Debian package prometheus)' : ''

async function read(url: string): Promise<{ text: string; type: string | undefined }> {
  const { body, headers } = await got(`${url}/metrics`)
  return { text: body, type: headers['content-type'] }
}

test('requests, deaths and the state come through', async ({ onTestFinished }) => {
  const { scene, readyPuppet } = await puppetScene({ onTestFinished })
  const puppet = await readyPuppet()
  await puppet.answer('/v1/chat/completions', { status: 200, chunks: ['{"choices":[]}'] })
  expect((await scene.chat()).status).toBe(200)
  process.kill(puppet.pid, 'SIGKILL')
  await readyPuppet()
  const { text, type } = await read(scene.url)
  expect(type).toContain('text/plain')
  expect(text).toContain('oss20bd_requests_total{api="chat",outcome="answered"} 1\n')
  expect(text).toMatch(/^oss20bd_engine_exits_total\{cause="[a-z-]+"\} 1$/m)
  expect(text).toContain('oss20bd_engine_state{state="ready"} 1\n')
  expect(text).toMatch(/^oss20bd_event_loop_delay_seconds\{percentile="p99"\} [\d.e-]+$/m)
})

test('only reading is allowed, and HEAD has no body', async ({ onTestFinished }) => {
  const { scene } = await puppetScene({ onTestFinished })
  const url = `${scene.url}/metrics`
  const posted = await got.post(url, { throwHttpErrors: false })
  expect({ status: posted.statusCode, allow: posted.headers.allow }).toEqual({
    status: 405,
    allow: 'GET, HEAD',
  })
  const head = await got.head(url)
  expect(Number(head.headers['content-length'])).toBeGreaterThan(1000)
})

test.skipIf(isMissing)(`promtool has nothing to say${leftOut}`, async ({ onTestFinished }) => {
  const { scene, readyPuppet } = await puppetScene({ onTestFinished })
  await readyPuppet()
  await scene.chat().catch(() => undefined)
  const { text } = await read(scene.url)
  const checked = await execa('promtool', ['check', 'metrics'], { input: text, reject: false })
  expect({ exitCode: checked.exitCode, said: checked.stderr }).toEqual({ exitCode: 0, said: '' })
})
