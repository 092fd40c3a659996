import { expect, test } from 'vitest'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { renderSettings } from '../../../src/cli/render-settings.ts'

test('each setting is a line with its value and where it came from', () => {
  const values = { 'proxy.port': 8021, 'model.path': null, 'engine.extraArgs': ['-v'] }
  const origins = { 'proxy.port': 'file', 'model.path': 'default', 'engine.extraArgs': 'flag' }
  expect(renderSettings(values, origins, NO_PAINT)).toEqual([
    'proxy.port        8021       file',
    'model.path        (not set)  default',
    'engine.extraArgs  ["-v"]     flag',
  ])
})

test('only the defaults are dimmed', () => {
  const paint = { ...NO_PAINT, dim: () => 'dimmed' }
  const lines = renderSettings({ a: 1, b: 2 }, { a: 'default', b: 'flag' }, paint)
  expect(lines).toEqual(['dimmed', 'b  2  flag'])
})
