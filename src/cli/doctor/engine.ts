/** The doctor's look at the engine: can it be started, and does it use the GPU. */
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { isMetal } from '../../device-list.ts'
import { Oss20bdError } from '../../errors.ts'
import { type Finding, type Judge, judgeAll } from '../../finding.ts'
import { type DeviceList, listDevices } from '../../llama/devices.ts'
import { assertExecutable, readEngineVersion } from '../../llama/engine-info.ts'
import { readSettled } from '../settings.ts'
import type { DoctorPart, Examined } from './part.ts'

export interface EngineFacts {
  readonly platform: NodeJS.Platform
  readonly file: string
  readonly version: string | null
  readonly devices: DeviceList
  /** The terminal of this command is one over SSH. */
  readonly isRemote: boolean
}

export const enginePart: DoctorPart = {
  name: 'engine',
  examine: async (context) => {
    const { config } = await readSettled(context)
    const built = join(context.paths.engines, 'current', 'bin', 'llama-server')
    const named = config.engine.path ?? built
    const file = await realpath(named).catch(() => named)
    const missing = await missingEngine(file)
    if (missing !== null) return { state: `none at ${file}`, findings: [missing] }
    const [version, devices] = await Promise.all([readEngineVersion(file), listDevices(file)])
    const isRemote = context.env['SSH_CONNECTION'] !== undefined
    const { platform } = process
    return examineEngine({ platform, file, version: version?.version ?? null, devices, isRemote })
  },
}

async function missingEngine(file: string): Promise<Finding | null> {
  try {
    await assertExecutable(file)
    return null
  } catch (error) {
    if (!(error instanceof Oss20bdError)) throw error
    const what = 'There is no llama-server that can be started'
    return { id: 'engine-missing', what, why: error.message, mend: 'oss20bd build' }
  }
}

/** Pure. */
export function examineEngine(facts: EngineFacts): Examined {
  const { file, version, devices } = facts
  const gpus = devices.kind === 'listed' ? devices.devices.map(({ name }) => name) : []
  const gpu = gpus.length === 0 ? 'on the CPU' : `on ${gpus.join(', ')}`
  return {
    state: `llama-server ${version ?? 'of an unknown version'}, ${gpu} (${file})`,
    findings: judgeAll([silentEngine, withoutGpu], facts),
  }
}

const silentEngine: Judge<EngineFacts> = ({ version, devices }) => {
  if (version !== null || devices.kind === 'listed') return null
  const what = 'llama-server does not answer to --version'
  return { id: 'engine-broken', what, why: devices.reason, mend: 'oss20bd build' }
}

/** Only a Mac always has one. */
const withoutGpu: Judge<EngineFacts> = ({ platform, devices, isRemote }) => {
  if (platform !== 'darwin' || devices.kind === 'unknown') return null
  if (devices.devices.some(isMetal)) return null
  const seen = 'llama-server --list-devices names no Metal device'
  const remote = '; over SSH, without a login on the screen, there may be none'
  return {
    id: 'gpu-not-used',
    what: 'The GPU is not used: answers take many times as long',
    why: `${seen}${isRemote ? remote : '; it was built without Metal, or this is a virtual machine'}`,
    mend: isRemote ? 'oss20bd install' : 'oss20bd build',
  }
}
