import { expect, it, test } from 'vitest'
import { chooseModel, type ModelSituation } from '../../../src/model/choose-model.ts'

const GIB = 2 ** 30
const mac: ModelSituation = {
  totalMemoryBytes: 32 * GIB,
  reserveBytes: 4 * GIB,
  testModelAsked: false,
  existingReal: false,
  networkTried: 'no',
}

test.each<[string, Partial<ModelSituation>, string]>([
  ['pulls on a machine with room', {}, 'pull'],
  ['pulls on the smallest machine that has room', { totalMemoryBytes: 18 * GIB }, 'pull'],
  ['uses the model that is there', { existingReal: true }, 'existing'],
  ['uses it without a network', { existingReal: true, networkTried: 'failed' }, 'existing'],
  ['serves the test model after a download in vain', { networkTried: 'failed' }, 'test-model'],
  ['serves the test model on 16 GiB', { totalMemoryBytes: 16 * GIB }, 'test-model'],
  [
    'serves the test model on 16 GiB though the real one is there',
    { totalMemoryBytes: 16 * GIB, existingReal: true },
    'test-model',
  ],
  [
    'serves the test model when it is asked for',
    { testModelAsked: true, existingReal: true },
    'test-model',
  ],
])('it %s', (_title, change, kind) => {
  expect(chooseModel({ ...mac, ...change }).kind).toBe(kind)
})

it('gives the numbers when memory is too small', () => {
  expect(chooseModel({ ...mac, totalMemoryBytes: 8 * GIB }).reason).toBe(
    'this machine has 8.0 GiB of memory, gpt-oss-20b and other apps need 17.4 GiB',
  )
})
