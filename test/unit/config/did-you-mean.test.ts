import { expect, test } from 'vitest'
import { didYouMean } from '../../../src/config/did-you-mean.ts'

const NAMES = ['proxy.port', 'proxy.host', 'model.path', 'engine.path', 'log.level']

test.each([
  ['proxy.prot', 'proxy.port'],
  ['Proxy.Port', 'proxy.port'],
  ['port', 'proxy.port'],
  ['level', 'log.level'],
  ['path', null],
  ['log.levle', 'log.level'],
  ['something.else', null],
  ['', null],
  ['x'.repeat(100_000), null],
])('%j was meant to be %j', (written, meant) => {
  expect(didYouMean(written, NAMES)).toBe(meant)
})
