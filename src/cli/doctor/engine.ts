/** The doctor's look at the engine: can it be started, does it use the GPU, was it built for speed. */
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import type { Finding } from '../../finding.ts'
import { listDevices } from '../../llama/devices.ts'
import { assertExecutable, readEngineVersion } from '../../llama/engine-info.ts'
import { LoadReader, type LoadReport } from '../../llama/load-report.ts'
import { closeLogEnd, openLogEnd, readBackwards } from '../../log-files.ts'
import type { Context } from '../command.ts'
import { isRecord, parseJson } from '../json.ts'
import { type EngineFacts, judgeEngine } from './engine-findings.ts'
import type { DoctorPart, Examined } from './part.ts'
import { engineFileOf, type Visit } from './visit.ts'

export const enginePart: DoctorPart = {
  name: 'engine',
  examine: async (context, visit) => {
    const config = await visit.config()
    const named = engineFileOf(context, config)
    const file = await realpath(named).catch(() => named)
    const missing = await missingEngine(file, config.engine.path !== null)
    if (missing !== null) return { state: `none at ${file}`, findings: [missing] }
    const [version, devices, kind, buildFlags, status] = await Promise.all([
      readEngineVersion(file),
      listDevices(file),
      visit.kind(),
      readBuildFlags(file, visit),
      visit.status(),
    ])
    const isRunning = status !== null && status.engine.pid !== null
    return examineEngine({
      platform: visit.platform,
      file,
      version: version?.version ?? null,
      devices,
      isVirtual: kind.isVirtual,
      isRemote: context.env['SSH_CONNECTION'] !== undefined,
      buildFlags,
      extraArgs: config.engine.extraArgs,
      report: isRunning ? await readReport(context) : NOTHING_SAID,
      testModel: status?.model.testModel ?? false,
    })
  },
}

const NOTHING_SAID: LoadReport = { isDebug: null, gpuBytes: null, cpuBytes: null }

async function missingEngine(file: string, isNamed: boolean): Promise<Finding | null> {
  try {
    await assertExecutable(file)
    return null
  } catch (error) {
    if (!(error instanceof Oss20bdError)) throw error
    return {
      id: 'engine-missing',
      what: isNamed
        ? 'The llama-server that engine.path names cannot be started'
        : 'There is no llama-server yet, which is the engine that runs the model',
      why: error.message,
      mend: isNamed ? 'oss20bd config' : 'oss20bd build',
    }
  }
}

/** Of one that scripts/build-llama.sh made; null for any other. */
async function readBuildFlags(
  file: string,
  { readText }: Visit,
): Promise<EngineFacts['buildFlags']> {
  const manifest = join(dirname(dirname(file)), 'manifest.json')
  const read = parseJson(await readText(manifest).catch(() => ''))
  const flags = isRecord(read) ? read['flags'] : null
  return Array.isArray(flags) ? flags.map(String) : null
}

/** An engine that has said so much since its start has been forgotten by then. */
const READ_LINES = 50_000

async function readReport({ paths }: Context): Promise<LoadReport> {
  const reader = new LoadReader()
  const end = await openLogEnd(paths.logs, 'engine')
  try {
    let count = 0
    for await (const line of readBackwards(paths.logs, end)) {
      const entry = parseJson(line)
      const message = isRecord(entry) ? entry['message'] : null
      count += 1
      if (count > READ_LINES || (typeof message === 'string' && !reader.take(message))) break
    }
  } finally {
    await closeLogEnd(end)
  }
  return reader.report()
}

/** Pure. */
export function examineEngine(facts: EngineFacts): Examined {
  const { file, version, devices } = facts
  const gpus = devices.kind === 'listed' ? devices.devices.map(({ name }) => name) : null
  const gpu =
    gpus === null ? 'GPU unknown' : gpus.length === 0 ? 'on the CPU' : `on ${gpus.join(', ')}`
  return {
    state: `llama-server ${version ?? 'of an unknown version'}, ${gpu} (${file})`,
    findings: judgeEngine(facts),
  }
}
