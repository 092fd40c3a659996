import { describe, expect, test } from 'vitest'
import { healthAnswer, modelsAnswer, ownError, readableBy } from '../../../src/proxy/own-answer.ts'

describe('own answers', () => {
  test('an error has the shape of OpenAI, and says inside error that it is ours', () => {
    const answer = ownError({
      status: 503,
      code: 'engine_unavailable',
      message: 'Cannot answer: stopped',
      hint: 'Run oss20bd start',
      retryAfterS: 30,
    })
    expect(answer.headers).toMatchObject({ 'Retry-After': '30' })
    expect(JSON.parse(answer.body)).toEqual({
      error: {
        message: 'Cannot answer: stopped (Run oss20bd start)',
        type: 'unavailable_error',
        code: 'engine_unavailable',
        src: 'oss20bd',
      },
    })
  })

  test.each([
    [400, 'invalid_request_error'],
    [403, 'permission_error'],
    [404, 'not_found_error'],
    [405, 'invalid_request_error'],
    [500, 'server_error'],
    [501, 'not_supported_error'],
    [502, 'server_error'],
  ])('status %d has the type %s', (status, type) => {
    const answer = ownError({ status, code: 'x', message: 'y' })
    expect(JSON.parse(answer.body)).toMatchObject({ error: { type } })
  })

  test('health is 200 only when a request would go straight through', () => {
    expect(healthAnswer({ kind: 'ready', socketPath: '/s', runId: 1 })).toMatchObject({
      status: 200,
      body: '{"status":"ok"}\n',
    })
    const pending = healthAnswer({ kind: 'pending', message: 'loading', progress: 0.5 })
    expect(pending.status).toBe(503)
    expect(JSON.parse(pending.body)).toEqual({ status: 'loading', message: 'loading' })
    const down = healthAnswer({ kind: 'unavailable', message: 'stopped', hint: 'start it' })
    expect(down.status).toBe(503)
    expect(JSON.parse(down.body)).toMatchObject({ status: 'unavailable', message: 'stopped' })
  })

  test('the models are a list as OpenAI has it', () => {
    expect(JSON.parse(modelsAnswer(['a', 'b']).body)).toMatchObject({
      object: 'list',
      data: [
        { id: 'a', object: 'model' },
        { id: 'b', object: 'model' },
      ],
    })
  })

  test('only a page is told that it may read', () => {
    expect(readableBy(undefined)).toEqual({})
    expect(readableBy('http://localhost:3000')).toMatchObject({
      'Access-Control-Allow-Origin': 'http://localhost:3000',
    })
  })
})
