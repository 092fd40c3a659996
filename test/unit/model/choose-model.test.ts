import { expect, it, test } from 'vitest'
import { chooseModel, type ModelSituation } from '../../../src/model/choose-model.ts'

const GIB = 2 ** 30
const mac: ModelSituation = {
  budgetBytes: 32 * GIB,
  reserveBytes: 4 * GIB,
  existingReal: false,
}

test.each<[string, Partial<ModelSituation>, string]>([
  ['pulls on a machine with room', {}, 'pull'],
  ['pulls with the smallest budget that has room', { budgetBytes: 18 * GIB }, 'pull'],
  [
    'pulls on 16 GiB when nothing is kept for others',
    { budgetBytes: 16 * GIB, reserveBytes: 0 },
    'pull',
  ],
  ['uses the model that is there', { existingReal: true }, 'existing'],
  ['serves the test model on 16 GiB', { budgetBytes: 16 * GIB }, 'test-model'],
  [
    'serves the test model on 16 GiB though the real one is there',
    { budgetBytes: 16 * GIB, existingReal: true },
    'test-model',
  ],
])('it %s', (_title, change, kind) => {
  expect(chooseModel({ ...mac, ...change }).kind).toBe(kind)
})

it('gives the numbers when memory is too small', () => {
  expect(chooseModel({ ...mac, budgetBytes: 8 * GIB })).toEqual({
    kind: 'test-model',
    reason: 'the memory budget is 8.0 GiB, gpt-oss-20b and other apps need 17.4 GiB',
  })
})
