import { expect, test } from 'vitest'
import { parseMachineKind } from '../../../src/host/machine-kind.ts'

test.each([
  ['kern.hv_vmm_present: 0\nsysctl.proc_translated: 0\n', false, false],
  ['kern.hv_vmm_present: 1\nsysctl.proc_translated: 0\n', true, false],
  ['kern.hv_vmm_present: 0\nsysctl.proc_translated: 1\n', false, true],
  // A Mac with Intel has no such key.
  ['kern.hv_vmm_present: 0\n', false, null],
  ['', null, null],
  ['kern.hv_vmm_present: yes\n', null, null],
])('sysctl prints %j', (text, isVirtual, isTranslated) => {
  expect(parseMachineKind(text)).toEqual({ isVirtual, isTranslated })
})
