import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { examineEngine } from '../../../../src/cli/doctor/engine.ts'
import type { EngineFacts } from '../../../../src/cli/doctor/engine-findings.ts'
import { examineModel, type ModelState, unusable } from '../../../../src/cli/doctor/model.ts'
import { parseDeviceList } from '../../../../src/device-list.ts'
import type { ModelFileProblem } from '../../../../src/model/model-file.ts'
import { mends } from './mends.ts'

const MIB = 2 ** 20

const captured = readFileSync(
  new URL('../../../fixtures/macos/llama-server-list-devices-m4pro-48gb-tail.log', import.meta.url),
  'utf8',
)

const engine: EngineFacts = {
  platform: 'darwin',
  file: '/e/llama-server',
  version: '0.5.0',
  devices: { kind: 'listed', devices: parseDeviceList(captured) ?? [] },
  isVirtual: false,
  isRemote: false,
  buildFlags: ['-DCMAKE_BUILD_TYPE=Release', '-DGGML_METAL=ON'],
  extraArgs: [],
  report: { isDebug: false, gpuBytes: 11_536 * MIB, cpuBytes: 587 * MIB },
  testModel: false,
}

test('an engine that is well is told with its GPU', () => {
  expect(examineEngine(engine)).toEqual({
    state: 'llama-server 0.5.0, on Apple M4 Pro (/e/llama-server)',
    findings: [],
  })
})

const noGpu = { kind: 'listed', devices: [] } as const
const silent = { kind: 'unknown', reason: 'it could not be run' } as const
const paravirtual = { id: 'MTL0', name: 'Apple Paravirtual device', limitBytes: 2 ** 30 }
const onBoth = { isDebug: false, gpuBytes: 6096 * MIB, cpuBytes: 5440 * MIB }

test.each<[Partial<EngineFacts>, Record<string, string>]>([
  [{ devices: noGpu }, { 'gpu-not-used': 'oss20bd build' }],
  [{ devices: noGpu, buildFlags: null }, { 'gpu-not-used': 'oss20bd build' }],
  [{ devices: noGpu, isRemote: true }, { 'ssh-session': 'oss20bd install' }],
  [
    { devices: noGpu, isVirtual: true, isRemote: true },
    { 'virtual-machine': 'oss20bd plan --gpu none' },
  ],
  [
    { devices: noGpu, isVirtual: true, buildFlags: ['-DGGML_METAL=OFF'] },
    { 'built-without-metal': 'oss20bd build' },
  ],
  [
    { devices: { kind: 'listed', devices: [paravirtual] }, isVirtual: true },
    { 'virtual-gpu': 'oss20bd bench' },
  ],
  [{ devices: noGpu, platform: 'linux' }, {}],
  [{ devices: silent }, {}],
  [{ devices: silent, version: null }, { 'engine-broken': 'oss20bd build' }],
  [{ report: onBoth }, { 'layers-on-cpu': 'oss20bd restart' }],
  [{ report: onBoth, extraArgs: ['--n-cpu-moe', '12'] }, { 'layers-on-cpu': 'oss20bd config' }],
  [{ report: onBoth, testModel: true }, {}],
  [{ report: onBoth, devices: noGpu, platform: 'linux' }, {}],
  [
    { report: { isDebug: true, gpuBytes: null, cpuBytes: null } },
    { 'debug-build': 'oss20bd build' },
  ],
  [{ buildFlags: ['-DCMAKE_BUILD_TYPE=Debug'] }, { 'debug-build': 'oss20bd build' }],
])('an engine with %j', (change, found) => {
  expect(mends(examineEngine({ ...engine, ...change }).findings)).toEqual(found)
})

test.each(['-ngl', '--n-gpu-layers', '--n-cpu-moe', '-ncmoe', '--cpu-moe', '-cmoe', '-ot'])(
  '%s in engine.extraArgs is named as the cause',
  (arg) => {
    const { findings } = examineEngine({ ...engine, report: onBoth, extraArgs: [`${arg}=1`] })
    expect(findings[0]?.why).toContain(`engine.extraArgs ask for it with ${arg}`)
  },
)

const model: ModelState = {
  file: '/m/current',
  check: {
    kind: 'ok',
    sizeBytes: 2 ** 30,
    name: 'gpt-oss-20b',
    architecture: 'gpt-oss',
    testModel: false,
  },
  origin: { sizeBytes: 2 ** 30 },
  lastExit: null,
  tooLarge: null,
}

test.each<[Partial<ModelState>, Record<string, string>]>([
  [{}, {}],
  [{ origin: null }, {}],
  [{ origin: { sizeBytes: 2 ** 30 + 1 } }, { 'model-corrupt': 'oss20bd verify' }],
  [
    { lastExit: { cause: 'model-corrupt', message: 'a tensor is not there' } },
    { 'model-corrupt': 'oss20bd verify' },
  ],
  [{ lastExit: { cause: 'hang', message: 'it stood still' } }, {}],
])('a model with %j', (change, found) => {
  expect(mends(examineModel({ ...model, ...change }).findings)).toEqual(found)
})

test.each<[ModelFileProblem['kind'], string, string]>([
  ['missing', 'there is no such file', 'oss20bd pull'],
  ['folder', 'it is a folder of safetensors', 'oss20bd pull'],
  ['legacy', 'it is a GGML file', 'oss20bd pull'],
  ['not-gguf', 'it begins with "PK"', 'oss20bd pull'],
  ['cut-short', 'it is cut short', 'oss20bd pull'],
  ['empty', 'it is empty', 'oss20bd pull'],
  ['unreadable', 'there is no permission to read it', "chmod u+r '/a b.gguf'"],
  ['unreadable', 'it is not a regular file', 'oss20bd pull'],
  ['shortage', 'the system has nothing to spare', 'oss20bd restart'],
])('a model that is %s because %s', (kind, message, mend) => {
  const { findings } = unusable('/a b.gguf', { kind, message, hint: '' }, true)
  expect(mends(findings)).toEqual({ [`model-${kind}`]: mend })
  expect(findings[0]?.why).toBe(`${message}; model.path in the config names it`)
})
