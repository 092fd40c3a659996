import { expect, test } from 'vitest'
import { codingFor, readAssets } from '../../../../src/daemon/dashboard/assets.ts'

test.each([
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip', 'gzip'],
  ['br;q=0, gzip;q=0.5', 'gzip'],
  ['', 'identity'],
  ['deflate', 'identity'],
])('of %s it takes %s', (accepted, coding) => {
  expect(codingFor(accepted)).toBe(coding)
})

test('a page that is not built is no assets', async () => {
  expect((await readAssets('/nowhere/at/all')).size).toBe(0)
})
