/** A Status as one screen that a person understands at a glance. Pure. */
import type { Status } from '../../daemon/control-protocol.ts'
import { formatDuration } from '../../units.ts'
import { printable } from '../log-entry.ts'
import type { Paint } from '../paint.ts'
import { modelText } from '../render.ts'
import { type Glyphs, memoryBar } from './bar.ts'
import type { TextWidth } from './width.ts'
import {
  gpuText,
  headlineText,
  levelDye,
  machineText,
  nowText,
  plannedText,
  speedText,
  stateDye,
  todayText,
  usedText,
} from './words.ts'
import { wrap } from './wrap.ts'

export interface StatusLook {
  readonly paint: Paint
  /** Columns; Infinity when nobody counts. */
  readonly width: number
  /** null: no bar, as for a file or a pipe. */
  readonly glyphs: Glyphs | null
  readonly text: TextWidth
  /** How the service is, in words; null when none is installed. */
  readonly service: string | null
  /** The wall clock, for how long ago something was. */
  readonly nowMs: number
}

interface Row {
  readonly label: string
  readonly text: string
}

const WIDE_LABEL = 11
const NARROW_LABEL = 9
/** Below it every column of the margin is missed. */
const NARROW = 60
const MAX_BAR = 40

export function renderStatus(status: Status, look: StatusLook): readonly string[] {
  return [
    ...headline(status, look),
    ...lines(urgent(status), look),
    ...lines([{ label: 'model', text: modelText(status.model) }], look),
    ...memoryLines(status.memory, look),
    ...lines(work(status), look),
    ...lines(background(status, look), look),
  ]
}

/** Which letters there may be: all that others have chosen. */
export function textsOf({ model, engine, proxy, memory, daemon }: Status): readonly string[] {
  const { detail, hint, lastExit, trial } = engine
  const clients = proxy.queue.map(({ client }) => client)
  const told = [
    detail,
    hint ?? '',
    lastExit?.message ?? '',
    trial?.why ?? '',
    memory.reason ?? '',
    daemon.logs,
  ]
  return [model.name, proxy.url, ...clients, ...told, ...Object.values(memory.unknown)]
}

function headline(status: Status, { paint, width, text }: StatusLook): readonly string[] {
  const { state } = status.engine
  const [first = '', ...rest] = wrap(printable(headlineText(status)), width - 2, text)
  const dyed = stateDye(state, paint)(paint.strong(state))
  return [`${dyed}${first.slice(state.length)}`, ...rest.map((line) => `  ${line}`)]
}

/** What a person can do now, and what happens next by itself. */
function urgent({ engine: { hint }, memory }: Status): readonly Row[] {
  const { level, step, reason, next } = memory
  const isAtEase = step === 'normal' && (level === 'ok' || level === null)
  const restraint = step === 'normal' ? [] : [stepWords[step]]
  return [
    ...(hint === null ? [] : [{ label: 'do', text: hint }]),
    ...(isAtEase
      ? []
      : [{ label: 'headroom', text: [reason ?? 'calm again', ...restraint].join('; ') }]),
    ...(isAtEase || next === null ? [] : [{ label: 'next', text: next }]),
  ]
}

const stepWords: Readonly<Record<Exclude<Status['memory']['step'], 'normal'>, string>> = {
  'one-at-a-time': 'one request at a time',
  recycle: 'one request at a time, the engine was restarted',
  'smaller-context': 'one request at a time, with a smaller context',
  unload: 'the model is unloaded',
}

function memoryLines(memory: Status['memory'], look: StatusLook): readonly string[] {
  const planned = plannedText(memory)
  const told = [usedText(memory), ...(planned === null ? [] : [planned]), machineText(memory)]
  const texts = told[0] === 'unknown' ? ['unknown'] : told
  const [first, ...rest] = texts.map((text, index) =>
    lines([{ label: index === 0 ? 'memory' : '', text }], look),
  )
  return [...(first ?? []), ...barLine(memory, look), ...rest.flat()]
}

function barLine(memory: Status['memory'], look: StatusLook): readonly string[] {
  const { footprintBytes, plannedBytes, budgetBytes, level } = memory
  if (look.glyphs === null || footprintBytes === null || budgetBytes === null) return []
  const margin = marginOf(look)
  const width = Math.min(MAX_BAR, look.width - margin)
  const bar = memoryBar(
    { usedBytes: footprintBytes, plannedBytes, budgetBytes },
    width,
    look.glyphs,
  )
  const dyed = levelDye(level, look.paint)(bar.used)
  return [`${' '.repeat(margin)}${dyed}${bar.planned}${look.paint.dim(bar.free)}`]
}

function work(status: Status): readonly Row[] {
  const { proxy, throughput } = status
  const { replayed, continued } = proxy
  return [
    { label: 'GPU', text: gpuText(status) },
    { label: 'speed', text: speedText(throughput) },
    { label: 'requests', text: `${nowText(proxy)}; today ${todayText(proxy)}` },
    ...queueRows(proxy.queue),
    ...(replayed + continued === 0
      ? []
      : [{ label: 'rescued', text: `${replayed} sent again, ${continued} continued` }]),
  ]
}

/** Who is next; `oss20bd requests` shows all. */
function queueRows(queue: Status['proxy']['queue']): readonly Row[] {
  const [next, ...others] = queue
  if (next === undefined) return []
  const { client, waitedMs, expectedMs } = next
  const expected =
    expectedMs === null
      ? 'for how long yet is unknown'
      : `about ${formatDuration(expectedMs)} to go`
  const more = others.length === 0 ? '' : `, ${others.length} more behind it`
  const text = `next: ${client}, waits for ${formatDuration(waitedMs)}, ${expected}${more}`
  return [{ label: 'queue', text }]
}

function background({ engine, proxy, daemon }: Status, look: StatusLook): readonly Row[] {
  const waiting = engine.state === 'ready' ? '' : ' (waiting)'
  const version = engine.version ?? 'version unknown'
  const pid = engine.pid === null ? 'no process' : `pid ${engine.pid}`
  return [
    { label: 'restarts', text: restartsText(engine, look.nowMs) },
    { label: 'port', text: `${proxy.url}${waiting}${alsoText(proxy.alsoListening)}` },
    ...(look.service === null ? [] : [{ label: 'service', text: look.service }]),
    { label: 'engine', text: `llama-server ${version}, ${pid}` },
    ...trialRows(engine.trial),
    {
      label: 'daemon',
      text: `oss20bd ${daemon.version}, pid ${daemon.pid}, up ${formatDuration(daemon.uptimeMs)}`,
    },
    { label: 'logs', text: daemon.logs },
  ]
}

/** Nothing of an engine that is kept: that is how it should be. */
function trialRows(trial: Status['engine']['trial']): readonly Row[] {
  if (trial === null || trial.outcome === 'kept') return []
  const { engine, earlier, outcome, why } = trial
  const text =
    outcome === 'running'
      ? `${engine} has taken the place of ${earlier}, which comes back when it fails`
      : `went back from ${engine} to ${earlier}: ${why ?? 'as asked'}`
  return [{ label: 'trial', text }]
}

function alsoText(ports: Status['proxy']['alsoListening']): string {
  return ports
    .map(({ port, isOpen, trouble }) =>
      isOpen ? `, ${port} too` : `, ${port} not: ${trouble ?? 'not open yet'}`,
    )
    .join('')
}

function restartsText({ restarts, lastExit }: Status['engine'], nowMs: number): string {
  if (lastExit === null) return `${restarts}, no exit yet`
  const agoMs = nowMs - Date.parse(lastExit.at)
  const when = Number.isFinite(agoMs) ? `${formatDuration(Math.max(0, agoMs))} ago` : 'time unknown'
  return `${restarts}, last exit ${lastExit.cause}, ${when}: ${lastExit.message}`
}

function lines(rows: readonly Row[], look: StatusLook): readonly string[] {
  const margin = marginOf(look)
  const left = look.width < NARROW ? '' : '  '
  return rows.flatMap(({ label, text }) =>
    wrap(printable(text), look.width - margin, look.text).map((line, index) => {
      const head = (index === 0 ? label : '').padEnd(margin - left.length)
      return `${left}${look.paint.dim(head)}${line}`
    }),
  )
}

function marginOf({ width }: StatusLook): number {
  return width < NARROW ? NARROW_LABEL : WIDE_LABEL + 2
}
