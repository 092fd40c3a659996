import { expect, test } from 'vitest'
import { modelAnswer, modelsAnswer } from '../../../src/proxy/own-answer.ts'

const names = ['gpt-oss-20b', 'gpt-oss-20b:low']

test('one model is told as it is in the list', () => {
  const one = modelAnswer('gpt-oss-20b:low', names)
  const list: unknown = JSON.parse(modelsAnswer(names).body)
  expect(one.status).toBe(200)
  expect(list).toMatchObject({ data: [{ id: 'gpt-oss-20b' }, JSON.parse(one.body)] })
})

test('a model that is not there is a 404 that names those that are', () => {
  const { status, body } = modelAnswer('gpt-4o', names)
  expect(status).toBe(404)
  expect(JSON.parse(body)).toMatchObject({
    error: {
      code: 'model_not_found',
      type: 'not_found_error',
      message: 'Cannot find the model "gpt-4o": it must be one of gpt-oss-20b, gpt-oss-20b:low',
    },
  })
})
