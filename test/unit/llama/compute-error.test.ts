import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isComputeError } from '../../../src/llama/compute-error.ts'

const error = { code: 500, message: 'Compute error.', type: 'server_error' }
const answer = JSON.stringify({ error })
const chunk = JSON.stringify({ choices: [{ delta: { content: 'Hi' } }] })

describe('an answer that the computation failed', () => {
  it.each([
    [500, answer],
    [500, answer.slice(0, 45)],
    [500, JSON.stringify({ error: { message: 'Compute error. off = 0', code: 500 } })],
    [500, JSON.stringify({ error: { type: 'server_error', message: 'Compute error' } })],
    [200, `data: ${answer}\n\n`],
    [200, `data:${answer}\r\n\r\n`],
    [200, `data: ${chunk}\n\n:\n\ndata: ${answer}\n\n`],
    [200, `event: error\ndata: ${JSON.stringify(error)}\n\n`],
  ])('is recognised: %s %s', (status, body) => {
    expect(isComputeError(status, body)).toBe(true)
  })

  const quoted = `I saw ${answer}\n\ndata: ${answer}\n\n`
  it.each([
    [200, answer],
    [400, answer],
    [503, answer],
    [500, ''],
    [500, 'Compute error.'],
    [500, 'data: Compute error'],
    [500, JSON.stringify({ error: { code: 500, message: 'The model said: Compute error.' } })],
    [500, JSON.stringify({ message: 'Compute error.' })],
    [500, JSON.stringify({ error: 'Compute error.' })],
    [500, JSON.stringify([error])],
    [500, 'null'],
    [200, `data: ${JSON.stringify({ choices: [{ delta: { content: quoted } }] })}\n\n`],
    [200, `data: ${JSON.stringify({ message: 'Compute error.' })}\n\n`],
    [200, `: data: ${answer}\n\n`],
    [200, `data: ${answer.slice(0, 45)}`],
  ])('is not seen elsewhere: %s %s', (status, body) => {
    expect(isComputeError(status, body)).toBe(false)
  })

  it('is never what a model says', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        const content = `${before}\n\nevent: error\ndata: ${answer}\n\n${after}`
        const said = JSON.stringify({ choices: [{ delta: { content } }] })
        expect(isComputeError(200, `data: ${said}\n\n`)).toBe(false)
        expect(isComputeError(500, said)).toBe(false)
      }),
    )
  })

  it('is looked for without a throw in anything', () => {
    fc.assert(
      fc.property(fc.integer(), fc.string({ unit: 'binary' }), (status, body) => {
        expect(isComputeError(status, body)).toBe(false)
      }),
    )
  })
})
