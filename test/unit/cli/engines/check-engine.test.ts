import { expect, test } from 'vitest'
import { lostGpu } from '../../../../src/cli/engines/check-engine.ts'
import { nameOfLink } from '../../../../src/cli/engines/shelf.ts'
import type { DeviceList } from '../../../../src/llama/devices.ts'

const none: DeviceList = { kind: 'listed', devices: [] }
const silent: DeviceList = { kind: 'unknown', reason: 'it could not be run' }
const metal: DeviceList = {
  kind: 'listed',
  devices: [{ id: 'MTL0', name: 'Apple M4 Pro', limitBytes: 21_845 * 2 ** 20 }],
}

test.each([
  ['a GPU as before', metal, metal, null],
  ['a GPU at last', metal, none, null],
  ['none, as before', none, none, null],
  ['none, and nobody knows what there was', none, silent, null],
  ['no GPU any more', none, metal, 'it uses no GPU, the engine in use does (Apple M4 Pro)'],
  ['no answer, where there was a GPU', silent, metal, 'it could not be run'],
])('an engine with %s', (_what, now, before, why) => {
  expect(lostGpu(now, before)).toBe(why)
})

test.each([
  ['/opt/homebrew/bin/llama-server', /^homebrew-bin-[0-9a-f]{6}$/],
  ['/llama-server', /^[0-9a-f]{6}$/],
  ['/Users/a b/.hidden ü/llama-server', /^a-b-.hidden-[0-9a-f]{6}$/],
  ['/x/../llama-server', /^x-[0-9a-f]{6}$/],
])('%s has a name that is a folder of its own', (file, name) => {
  expect(nameOfLink(file)).toMatch(name)
  expect(nameOfLink(file)).toBe(nameOfLink(file))
  expect(nameOfLink(`${file}2`)).not.toBe(nameOfLink(file))
})
