/** Everything around the measuring: what machine and model it is, the memory meanwhile, and the history on disk. */
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemClock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import { ownMemoryBytes } from '../../daemon/plan-facts.ts'
import { errnoOf, fileError, Oss20bdError } from '../../errors.ts'
import { readMachineFacts } from '../../memory/machine-facts.ts'
import type { GgufHeader } from '../../model/gguf-header.ts'
import { readModelHeader } from '../../model/model-file.ts'
import type { Context } from '../command.ts'
import { askDaemon } from '../control-client.ts'
import type { BenchFigures, DepthFigures, ParallelFigures } from './figures.ts'
import { historyFile } from './history-file.ts'
import { type Comparison, compare, lastAlike, readHistory } from './history.ts'
import { type Bench, type BenchPlan, measureDepth, measureParallel, warmUp } from './measure.ts'
import { withMemoryWatch } from './memory-watch.ts'
import type { ShownBench } from './render-bench.ts'
import { expectations } from './verdict.ts'
import { whatIsKnown } from './what-is-known.ts'

export interface BenchOrder {
  readonly plan: BenchPlan
  readonly signal: AbortSignal
  readonly onStep: (step: string) => void
  /** Told once, when something will make the figures worse or fewer. */
  readonly onNote: (note: string) => void
}

/** Measures, compares with the last run, and adds this one to the history. Throws what the port or the daemon says. */
export async function runBench(
  context: Context,
  config: Config,
  order: BenchOrder,
): Promise<ShownBench> {
  const look = (): Promise<Status> => askDaemon(context.paths.controlSocket, 'GET', '/status')
  const before = await look()
  if (before.proxy.inFlight > 0) {
    order.onNote('Other requests are being answered: the figures will be lower than they could be')
  }
  const bench = benchOf(context, before, order)
  const { value, memory } = await withMemoryWatch(systemClock, look, () =>
    measure(bench, look, order.onNote),
  )
  const header = await headerOf(value.status)
  const machine = await machineHere()
  const { model, engine, daemon } = value.status
  const figures: BenchFigures = {
    at: new Date(systemClock.nowMs()).toISOString(),
    machine,
    model: { name: model.name, sizeBytes: header.sizeBytes, testModel: model.testModel },
    contextTokens: model.contextTokens,
    slots: model.slots,
    engineVersion: engine.version,
    oss20bdVersion: daemon.version,
    rounds: order.plan.rounds,
    generateTokens: order.plan.generateTokens,
    depths: value.depths,
    parallel: value.parallel,
    memory,
  }
  const known = whatIsKnown(context.paths, config, machine, header.header)
  const comparison = await remember(historyFile(context.paths), figures, order.onNote)
  return { figures, expected: expectations(figures, known), comparison }
}

function benchOf({ env, paths }: Context, status: Status, order: BenchOrder): Bench {
  const token = env['OSS20BD_TOKEN'] ?? ''
  return {
    ...order,
    model: status.model.name,
    port: { kind: 'port', url: status.proxy.url, token: token === '' ? null : token },
    engine: { kind: 'engine', socketPath: paths.engineSocket },
    random: Math.random,
  }
}

interface Measured {
  /** Once the model was loaded: what was measured. */
  readonly status: Status
  readonly depths: readonly DepthFigures[]
  readonly parallel: readonly ParallelFigures[]
}

async function measure(
  bench: Bench,
  look: () => Promise<Status>,
  onNote: (note: string) => void,
): Promise<Measured> {
  const scale = await warmUp(bench)
  const status = await look()
  const { fitting, left } = fittingDepths(bench.plan, status.model.contextTokens)
  if (left.length > 0) {
    onNote(`Left out, for they do not fit into the context: prompts of ${left.join(', ')} tokens`)
  }
  const depths: DepthFigures[] = []
  for (const depth of fitting) depths.push(await measureDepth(bench, scale, depth))
  const parallel: ParallelFigures[] = []
  for (const requests of bench.plan.parallel) {
    parallel.push(await measureParallel(bench, scale, requests))
  }
  return { status, depths, parallel }
}

/** What is said by its words may come out a little longer in tokens. */
const MARGIN = 1.05

function fittingDepths(
  { depths, generateTokens }: BenchPlan,
  contextTokens: number | null,
): { readonly fitting: readonly number[]; readonly left: readonly number[] } {
  const room = (contextTokens ?? Infinity) - generateTokens
  const fitting = depths.filter((depth) => depth * MARGIN <= room)
  if (fitting.length > 0)
    return { fitting, left: depths.filter((depth) => !fitting.includes(depth)) }
  throw new Oss20bdError(
    'usage',
    `Cannot measure: no prompt fits beside ${generateTokens} tokens into the context of ${contextTokens}`,
    { hint: 'Ask for shorter ones, like --depth 256 --generate 32, or raise model.contextTokens' },
  )
}

async function headerOf({ model }: Status): Promise<{ header: GgufHeader; sizeBytes: number }> {
  const read = await readModelHeader(model.path)
  if (read.kind === 'ok') return read
  throw new Oss20bdError('model-unusable', read.message, { hint: read.hint })
}

async function machineHere(): Promise<BenchFigures['machine']> {
  const { chip, cores } = await readMachineFacts(systemClock)
  return { chip, cores, memoryBytes: ownMemoryBytes() }
}

/** The comparison with the last run of its kind. Minutes of measuring are not thrown away for a full disk: it is said. */
async function remember(
  file: string,
  figures: BenchFigures,
  onNote: (note: string) => void,
): Promise<Comparison | null> {
  let text = ''
  try {
    text = await readFile(file, 'utf8').catch(emptyWhenMissing)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    // A line that was cut by a full disk must not take the new one with it.
    const separator = text === '' || text.endsWith('\n') ? '' : '\n'
    await appendFile(file, `${separator}${JSON.stringify(figures)}\n`)
  } catch (error) {
    const { message, hint } = fileError('keep this run for later comparison', file, error)
    onNote(`${message}. ${hint ?? ''}`)
  }
  const before = lastAlike(readHistory(text), figures)
  return before === null ? null : compare(before, figures)
}

function emptyWhenMissing(error: unknown): string {
  if (errnoOf(error) === 'ENOENT') return ''
  throw error
}
