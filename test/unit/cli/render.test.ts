import { expect, test } from 'vitest'
import { waitingText } from '../../../src/cli/render.ts'
import type { EngineStateKind } from '../../../src/daemon/control-protocol.ts'
import { makeStatus } from '../../helpers/status.ts'

test.each([
  ['starting', 'loading the model, 40 %', 'loading the model, 40 %'],
  ['backoff', 'next try in 8 s', 'backoff: next try in 8 s'],
] as [EngineStateKind, string, string][])(
  'while %s the wait is named',
  (state, detail, expected) => {
    expect(waitingText(makeStatus({ engine: { state, detail } }))).toBe(expected)
  },
)
