import { expect, test } from 'vitest'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { renderSetting, renderSettings } from '../../../src/cli/render-settings.ts'

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

test('of one setting its meaning, what it may be, its default with the reason, and how to set it are told', () => {
  const told = {
    key: 'model.path',
    value: '/山田/a.gguf',
    origin: 'file',
    description: 'The model file',
    allowed: 'the path of a file',
    default: null,
    reason: 'it is chosen',
    variable: 'OSS20BD_MODEL_PATH',
  }
  expect(renderSetting(told)).toEqual([
    'model.path = "/山田/a.gguf", from: file',
    'The model file',
    '  must be      the path of a file',
    '  default      (not set): it is chosen',
    '  environment  OSS20BD_MODEL_PATH',
    '  one start    --set model.path=VALUE',
  ])
})
