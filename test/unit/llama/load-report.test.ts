import { expect, test } from 'vitest'
import { LoadReader, type LoadReport } from '../../../src/llama/load-report.ts'

const MIB = 2 ** 20
const begin =
  'cmn  common_param: common_params_print_info: build 1 (de3ff81) with GNU 12.2.0 for Linux x86_64'

/** The lines are given as they were written, and read from the end. */
function reportOf(...lines: readonly string[]): LoadReport {
  const reader = new LoadReader()
  for (const line of lines.toReversed()) if (!reader.take(line)) break
  return reader.report()
}

test('gpt-oss-20b on the GPU of an M5, but for the table of tokens', () => {
  const report = reportOf(
    begin,
    'load_tensors: offloading 23 repeating layers to GPU',
    'load_tensors: offloaded 25/25 layers to GPU',
    'load_tensors:   CPU_Mapped model buffer size =   586.82 MiB',
    'load_tensors:  MTL0_Mapped model buffer size = 11536.18 MiB',
    'llama_kv_cache:       MTL0 KV buffer size =   768.00 MiB',
  )
  expect(report.isDebug).toBe(false)
  expect((report.gpuBytes ?? 0) / MIB).toBeCloseTo(11_536.18, 1)
  expect((report.cpuBytes ?? 0) / MIB).toBeCloseTo(586.82, 1)
})

test('the experts of 12 layers on the CPU of an M5, though it says that all layers are offloaded', () => {
  const report = reportOf(
    'load_tensors: offloaded 25/25 layers to GPU',
    'load_tensors:          CPU model buffer size =   599.48 MiB',
    'load_tensors:   CPU_REPACK model buffer size =  4841.02 MiB',
    'load_tensors:         MTL0 model buffer size =  6095.68 MiB',
  )
  expect((report.cpuBytes ?? 0) / MIB).toBeCloseTo(5440.5, 1)
  expect((report.gpuBytes ?? 0) / MIB).toBeCloseTo(6095.68, 1)
})

test('nothing but the CPU, and a build for finding faults', () => {
  const report = reportOf(
    `${begin} (debug)`,
    'load_tensors: offloaded 3/3 layers to GPU',
    'load_tensors:   CPU_Mapped model buffer size =     0.91 MiB',
  )
  expect(report).toEqual({ isDebug: true, gpuBytes: 0, cpuBytes: Math.round(0.91 * MIB) })
})

test('what an earlier run said is not of this one, and what was not said is unknown', () => {
  expect(reportOf('load_tensors:  MTL0 model buffer size = 9.00 MiB', begin)).toEqual({
    isDebug: false,
    gpuBytes: null,
    cpuBytes: null,
  })
  expect(reportOf()).toEqual({ isDebug: null, gpuBytes: null, cpuBytes: null })
})
