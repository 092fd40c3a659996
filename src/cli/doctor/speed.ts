/** The doctor's look at the speed: is it what this machine can do, and what slows it down. */
import { readFile, statfs } from 'node:fs/promises'
import { systemClock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import { readPowerState } from '../../host/power-state.ts'
import { readPriority } from '../../host/process-priority.ts'
import { readColdPages } from '../../memory/cold-pages.ts'
import { createMemorySampler } from '../../memory/memory-sampler.ts'
import type { MemoryReading } from '../../memory/memory-reading.ts'
import { readModelHeader } from '../../model/model-file.ts'
import { historyFile } from '../bench/history-file.ts'
import { readHistory } from '../bench/history.ts'
import { usualSpeed, type UsualSpeed } from '../bench/verdict.ts'
import { whatIsKnown } from '../bench/what-is-known.ts'
import type { Context } from '../command.ts'
import { askDaemonFor } from '../control-client.ts'
import { field, isRecord } from '../json.ts'
import type { DoctorPart, Examined } from './part.ts'
import { judgeSpeed, type SpeedFacts } from './speed-findings.ts'
import { modelFileOf, type Visit } from './visit.ts'

export const speedPart: DoctorPart = {
  name: 'speed',
  examine: async (context, visit) => {
    const { platform } = visit
    const [config, status] = await Promise.all([visit.config(), visit.status()])
    const pid = status?.engine.pid ?? null
    const [power, priority, coldPages, reading, promptTokens] = await Promise.all([
      readPowerState(platform, visit),
      pid === null ? null : readPriority(pid, platform, visit),
      pid === null ? null : readColdPages(pid, platform, visit),
      pid === null ? NO_RATES : readTwice(context, visit),
      status === null ? null : medianPrompt(context),
    ])
    const known = await compare(context, visit, config, { status, promptTokens })
    return examineSpeed({
      platform,
      power,
      priority,
      coldPages,
      ...reading,
      promptTokens,
      ...known,
    })
  },
}

/** What is cheap to read is not read anew before. */
const BETWEEN_READINGS_MS = 1100

type Rates = Pick<MemoryReading, 'swapInBytesPerSecond' | 'swapOutBytesPerSecond'>

const NO_RATES: Rates = { swapInBytesPerSecond: null, swapOutBytesPerSecond: null }

/** Rates need two readings. */
async function readTwice(
  { paths }: Context,
  { platform, runTool, readText }: Visit,
): Promise<Rates> {
  const sampler = createMemorySampler({
    platform,
    enginePid: () => null,
    engineFile: () => null,
    diskPath: paths.home,
    doors: { runTool, readText, freeDiskBytes },
  })
  await sampler.sample()
  await systemClock.sleep(BETWEEN_READINGS_MS)
  return sampler.sample()
}

async function freeDiskBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

const RECENT = 20

/** Of the last requests whose prompts were counted; null when there are none. */
async function medianPrompt({ paths }: Context): Promise<number | null> {
  const question = { method: 'GET', path: `/requests?recent=${RECENT}`, timeoutMs: 3000 } as const
  const answer = await askDaemonFor(isRecord, paths.controlSocket, question).catch(() => ({}))
  const recent = field(answer, 'recent')
  const tokens = (Array.isArray(recent) ? recent : [])
    .map((row: unknown) => field(row, 'promptTokens'))
    .filter((count) => typeof count === 'number')
    .toSorted((one, other) => one - other)
  return tokens[Math.floor(tokens.length / 2)] ?? null
}

type Compared = Pick<SpeedFacts, 'measured' | 'usual' | 'before' | 'unknown'>

/** Holds what was measured against what the machine can do and what it once did. */
async function compare(
  context: Context,
  visit: Visit,
  config: Config,
  { status, promptTokens }: Pick<SpeedFacts, 'promptTokens'> & { readonly status: Status | null },
): Promise<Compared> {
  const read = await readModelHeader(status?.model.path ?? modelFileOf(context, config))
  if (read.kind !== 'ok') return nothing('there is no model whose speed could be known')
  const { chip, cores } = await visit.machine()
  const history = readHistory(await readFile(historyFile(context.paths), 'utf8').catch(() => ''))
  const run = history.findLast(
    ({ machine, model }) => machine.chip === chip && model.sizeBytes === read.sizeBytes,
  )
  const benched = run?.depths[0]?.generatedPerSecond ?? null
  const before =
    run === undefined || benched === null ? null : { perSecond: benched, at: run.at.slice(0, 10) }
  const now = status?.throughput.generatedTokensPerSecond ?? null
  const measured =
    now !== null
      ? { perSecond: now, when: 'since the engine started' }
      : before && { perSecond: before.perSecond, when: `by the bench of ${before.at}` }
  if (status?.model.testModel === true) {
    return { ...nothing('the test model is too small to tell anything'), measured }
  }
  const known = whatIsKnown(context.paths, config, { chip, cores, memoryBytes: 0 }, read.header)
  const usual = usualSpeed(known, promptTokens ?? 0)
  const unknown = usual === null ? `what to expect of ${chip ?? 'this chip'} is not known` : null
  return { measured, usual: shared(usual, status), before: now === null ? null : before, unknown }
}

function nothing(unknown: string): Compared {
  return { measured: null, usual: null, before: null, unknown }
}

/** The engine counts the time of each request: two at once are each slower, and together faster. */
function shared(usual: UsualSpeed | null, status: Status | null): UsualSpeed | null {
  const slots = status?.model.slots ?? 1
  return usual === null ? null : { ...usual, perSecond: usual.perSecond / slots }
}

/** Pure. */
export function examineSpeed(facts: SpeedFacts): Examined {
  const { measured, usual, unknown } = facts
  const is =
    measured === null
      ? 'not measured yet'
      : `${measured.perSecond.toFixed(1)} tokens/s ${measured.when}`
  const should =
    usual === null ? unknown : `about ${usual.perSecond.toFixed(0)} to expect (${usual.source})`
  return {
    state: should === null ? is : `${is}, ${should}`,
    findings: judgeSpeed(facts),
  }
}
