import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMetal, parseDeviceList } from '../../../src/device-list.ts'
import { listDevices } from '../../../src/llama/devices.ts'

const capture = readFileSync(
  new URL('../../fixtures/macos/llama-server-list-devices-m4pro-48gb-tail.log', import.meta.url),
  'utf8',
)

describe('parseDeviceList', () => {
  it('finds the GPU of a Mac, behind what Metal says while it begins', () => {
    expect(parseDeviceList(capture)).toEqual([
      { id: 'MTL0', name: 'Apple M4 Pro', limitBytes: 38_338 * 2 ** 20 },
    ])
  })

  it.each([
    ['no GPU', 'Available devices:\n', []],
    ['no GPU, said in words', 'Available devices:\n  (none)\n', []],
    ['no list', 'error: invalid argument: --list-devices\n', null],
    ['nothing', '', null],
    [
      'an accelerator of the CPU',
      'Available devices:\n  BLAS: Accelerate (0 MiB, 0 MiB free)\n',
      [],
    ],
  ])('with %s', (_what, output, expected) => {
    expect(parseDeviceList(output)).toEqual(expected)
  })

  it('reads names with brackets and Windows line ends', () => {
    const output =
      'Available devices:\r\n  CUDA0: NVIDIA RTX (Laptop) (8191 MiB, 7000 MiB free)\r\n  RPC[10.0.0.2:50052]: far (16000 MiB, 1 MiB free)\r\n'
    expect(parseDeviceList(output)?.map(({ id }) => id)).toEqual(['CUDA0', 'RPC[10.0.0.2:50052]'])
  })

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(400), (noise, at) => {
        expect(() =>
          parseDeviceList(capture.slice(0, at) + noise + capture.slice(at)),
        ).not.toThrow()
        expect(parseDeviceList(`Available devices:\n${noise}`)).not.toBeNull()
      }),
    )
  })
})

describe('isMetal', () => {
  it.each([
    ['MTL0', true],
    ['Metal', true],
    ['CUDA0', false],
    ['Vulkan0', false],
  ])('%s: %s', (id, expected) => {
    expect(isMetal({ id })).toBe(expected)
  })
})

describe('listDevices', () => {
  it('says why it does not know when there is no engine', async () => {
    expect(await listDevices('/no/such/llama-server')).toEqual({
      kind: 'unknown',
      reason: 'llama-server --list-devices could not be run',
    })
  })
})
