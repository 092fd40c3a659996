/** What can be wrong with the engine. One judge for each. Pure. */
import { isMetal } from '../../device-list.ts'
import { type Finding, type Judge, judgeAll } from '../../finding.ts'
import type { MachineKind } from '../../host/machine-kind.ts'
import type { DeviceList } from '../../llama/devices.ts'
import type { LoadReport } from '../../llama/load-report.ts'
import { formatBytes } from '../../units.ts'

export interface EngineFacts extends Pick<MachineKind, 'isVirtual'> {
  readonly platform: NodeJS.Platform
  readonly file: string
  readonly version: string | null
  readonly devices: DeviceList
  /** The terminal of this command is one over SSH. */
  readonly isRemote: boolean
  /** What cmake was told; null for an engine that was not built here. */
  readonly buildFlags: readonly string[] | null
  readonly extraArgs: readonly string[]
  /** Of the engine that runs now. */
  readonly report: LoadReport
  readonly testModel: boolean
}

export function judgeEngine(facts: EngineFacts): readonly Finding[] {
  return judgeAll([silentEngine, withoutGpu, virtualGpu, onCpu, debugBuild], facts)
}

const silentEngine: Judge<EngineFacts> = ({ version, devices }) => {
  if (version !== null || devices.kind === 'listed') return null
  const what = 'llama-server does not answer to --version'
  return { id: 'engine-broken', what, why: devices.reason, mend: 'oss20bd build' }
}

/** Only a Mac always has one. */
const withoutGpu: Judge<EngineFacts> = (facts) => {
  const { platform, devices } = facts
  if (platform !== 'darwin' || devices.kind === 'unknown') return null
  if (devices.devices.some(isMetal)) return null
  return whyWithoutGpu(facts)
}

const SLOW = 'The GPU is not used: answers take many times as long'
const SEEN = 'llama-server --list-devices names no Metal device'

function whyWithoutGpu({ buildFlags, isVirtual, isRemote }: EngineFacts): Finding {
  if (buildFlags?.includes('-DGGML_METAL=OFF') === true) {
    const why = `${SEEN}; it was built without Metal (GGML_METAL=OFF)`
    return { id: 'built-without-metal', what: SLOW, why, mend: 'oss20bd build' }
  }
  if (isVirtual === true) {
    const why = `${SEEN}; this is a virtual machine (kern.hv_vmm_present is 1): run oss20bd on the Mac itself`
    return { id: 'virtual-machine', what: SLOW, why, mend: 'oss20bd plan --gpu none' }
  }
  if (isRemote) {
    const why = `${SEEN}; this is a session over SSH, and nobody may be logged in at the screen`
    return { id: 'ssh-session', what: SLOW, why, mend: 'oss20bd install' }
  }
  const why = `${SEEN}, and the build does not say why; a new one is made with Metal`
  return { id: 'gpu-not-used', what: SLOW, why, mend: 'oss20bd build' }
}

/** Apple's own hypervisor shows such a GPU, of which the engine can use little. */
const virtualGpu: Judge<EngineFacts> = ({ devices }) => {
  const gpu =
    devices.kind === 'listed' ? devices.devices.find(({ name }) => /paravirtual/i.test(name)) : null
  if (gpu == null) return null
  return {
    id: 'virtual-gpu',
    what: 'The GPU is that of a virtual machine: run oss20bd on the Mac itself',
    why: `llama-server --list-devices names ${gpu.name}`,
    mend: 'oss20bd bench',
    degree: 'worse',
  }
}

/** The table of tokens always stays there: a twentieth of gpt-oss-20b. */
const USUAL_CPU_SHARE = 0.1

const onCpu: Judge<EngineFacts> = ({ devices, report, testModel, extraArgs }) => {
  const { gpuBytes, cpuBytes } = report
  const hasGpu = devices.kind === 'listed' && devices.devices.length > 0
  // The test model is little else than that table.
  if (!hasGpu || testModel || gpuBytes === null || cpuBytes === null) return null
  const allBytes = gpuBytes + cpuBytes
  if (cpuBytes <= allBytes * USUAL_CPU_SHARE) return null
  const asked = extraArgs.find((arg) =>
    /^(?:-ngl|--n-gpu-layers|--gpu-layers|-n?cmoe|--n?-?cpu-moe|--n-cpu-moe|-dev|--device|-ot|--override-tensor)/.test(
      arg,
    ),
  )
  const because =
    asked === undefined ? '' : `; engine.extraArgs ask for it with ${asked.split('=')[0]}`
  return {
    id: 'layers-on-cpu',
    what: 'A part of the model runs on the CPU, which slows every answer down',
    why: `${formatBytes(cpuBytes)} of ${formatBytes(allBytes)} of weights are there${because}`,
    mend: asked === undefined ? 'oss20bd restart' : 'oss20bd config',
    degree: 'worse',
  }
}

const debugBuild: Judge<EngineFacts> = ({ buildFlags, report }) => {
  const flag = buildFlags?.find((each) => each === '-DCMAKE_BUILD_TYPE=Debug')
  if (report.isDebug !== true && flag === undefined) return null
  return {
    id: 'debug-build',
    what: 'The engine was built for finding its faults, not for speed',
    why:
      report.isDebug === true ? 'its log calls the build "(debug)"' : `it was built with ${flag}`,
    mend: 'oss20bd build',
    degree: 'worse',
  }
}
