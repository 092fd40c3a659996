/** A Status as the lines a person reads. Pure. */
import type { EngineStateKind, Status } from '../daemon/control-protocol.ts'
import { formatBytes, formatDuration } from '../units.ts'
import type { Paint } from './paint.ts'

const LABEL_WIDTH = 11

/** One screen; what is not known says "unknown". `nowMs` is the wall clock, for how long ago something was. */
export function renderStatus(status: Status, paint: Paint, nowMs: number): readonly string[] {
  return [
    headline(status, paint),
    ...stateHint(status, paint),
    row('model', modelText(status.model), paint),
    row('port', `${status.proxy.url}${status.engine.state === 'ready' ? '' : ' (waiting)'}`, paint),
    row('requests', requestsText(status.proxy), paint),
    ...queueRows(status.proxy.queue, paint),
    row('speed', speedText(status.throughput), paint),
    row('memory', memoryText(status.memory), paint),
    ...headroomRows(status.memory, paint),
    row('engine', engineText(status.engine), paint),
    row('last exit', lastExitText(status.engine.lastExit, nowMs), paint),
    row('daemon', daemonText(status.daemon), paint),
  ]
}

/** What a start is waiting for, as one short text; for progress lines. */
export function waitingText(status: Status): string {
  const { state, detail } = status.engine
  return state === 'starting' ? detail : `${state}: ${detail}`
}

/** What is loaded, saying plainly when it is not gpt-oss-20b. */
export function modelText(model: Status['model']): string {
  const { contextTokens, slots } = model
  const context =
    contextTokens === null ? 'context as the engine chooses' : `${contextTokens} tokens of context`
  const capacity = slots === null ? context : `${context}, ${plural(slots, 'slot')}`
  return model.testModel
    ? `built-in test model: fixed words, NOT gpt-oss-20b (${capacity})`
    : `${model.name} (${capacity})`
}

function headline(status: Status, paint: Paint): string {
  const { state, detail, sinceMs } = status.engine
  const dye = { good: paint.good, warn: paint.warn, bad: paint.bad }[moodOf(state)]
  const why = detail === '' || detail === state ? '' : `: ${detail}`
  return `${dye(paint.strong(state))} for ${formatDuration(sinceMs)}${why}`
}

function moodOf(state: EngineStateKind): 'good' | 'warn' | 'bad' {
  switch (state) {
    case 'ready':
      return 'good'
    case 'starting':
    case 'stopping':
    case 'down':
    case 'asleep':
      return 'warn'
    case 'backoff':
    case 'refused':
    case 'failed':
      return 'bad'
  }
}

/** What a person can do now. */
function stateHint({ engine: { hint } }: Status, paint: Paint): readonly string[] {
  return hint === null ? [] : [row('do', hint, paint)]
}

function requestsText(proxy: Status['proxy']): string {
  const { inFlight, queued, held, replayed, continued, failed } = proxy
  return `${inFlight} in flight, ${queued} queued, ${held} held, ${replayed} replayed, ${continued} continued, ${failed} failed`
}

/** Who is next; `oss20bd requests` shows all. */
function queueRows(queue: Status['proxy']['queue'], paint: Paint): readonly string[] {
  const [next, ...others] = queue
  if (next === undefined) return []
  const { client, waitedMs, expectedMs } = next
  const expected =
    expectedMs === null
      ? 'for how long yet is unknown'
      : `about ${formatDuration(expectedMs)} to go`
  const more = others.length === 0 ? '' : `, ${others.length} more behind it`
  return [
    row(
      'queue',
      `next: ${client}, waits for ${formatDuration(waitedMs)}, ${expected}${more}`,
      paint,
    ),
  ]
}

function speedText({
  generatedTokensPerSecond: out,
  promptTokensPerSecond: read,
}: Status['throughput']): string {
  if (out === null && read === null) return 'unknown'
  return `generates ${rate(out)}, reads prompts ${rate(read)}`
}

function rate(tokensPerSecond: number | null): string {
  return tokensPerSecond === null ? 'unknown' : `${tokensPerSecond.toFixed(1)} tokens/s`
}

function memoryText(memory: Status['memory']): string {
  const { level, budgetBytes, plannedBytes, footprintBytes, availableBytes } = memory
  const known = [level, budgetBytes, plannedBytes, footprintBytes, availableBytes]
  if (known.every((value) => value === null)) return 'unknown'
  return [
    level ?? 'level unknown',
    `engine uses ${size(footprintBytes)}`,
    `planned ${size(plannedBytes)}`,
    `budget ${size(budgetBytes)}`,
    `available ${size(availableBytes)}`,
  ].join(', ')
}

/** Only while memory is short or the engine restrained: why, and what comes next. */
function headroomRows(
  { level, step, reason, next }: Status['memory'],
  paint: Paint,
): readonly string[] {
  if (step === 'normal' && (level === 'ok' || level === null)) return []
  const restraint = step === 'normal' ? [] : [stepWords[step]]
  return [
    row('headroom', [reason ?? 'calm again', ...restraint].join('; '), paint),
    ...(next === null ? [] : [row('next', next, paint)]),
  ]
}

const stepWords: Readonly<Record<Exclude<Status['memory']['step'], 'normal'>, string>> = {
  'one-at-a-time': 'one request at a time',
  recycle: 'one request at a time, the engine was restarted',
  'smaller-context': 'one request at a time, with a smaller context',
  unload: 'the model is unloaded',
}

function size(bytes: number | null): string {
  return bytes === null ? 'unknown' : formatBytes(bytes)
}

function engineText(engine: Status['engine']): string {
  const version = engine.version === null ? 'version unknown' : engine.version
  const pid = engine.pid === null ? 'no process' : `pid ${engine.pid}`
  return `llama-server ${version}, ${pid}, ${plural(engine.restarts, 'restart')}`
}

function lastExitText(exit: Status['engine']['lastExit'], nowMs: number): string {
  if (exit === null) return 'none'
  const agoMs = nowMs - Date.parse(exit.at)
  const when = Number.isFinite(agoMs) ? `${formatDuration(Math.max(0, agoMs))} ago` : 'time unknown'
  return `${exit.cause}, ${when}: ${exit.message}`
}

function daemonText(daemon: Status['daemon']): string {
  return `oss20bd ${daemon.version}, pid ${daemon.pid}, up ${formatDuration(daemon.uptimeMs)}, logs in ${daemon.logs}`
}

function row(label: string, text: string, paint: Paint): string {
  return `  ${paint.dim(label.padEnd(LABEL_WIDTH))}${text}`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
