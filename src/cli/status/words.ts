/** The parts of a Status in words, shared by `status` and `top`. Pure. */
import type { EngineStateKind, Status } from '../../daemon/control-protocol.ts'
import { formatBytes, formatDuration } from '../../units.ts'
import type { Paint } from '../paint.ts'

/** `ready for 3 min 12 s: answering`. */
export function headlineText({ engine: { state, detail, sinceMs } }: Status): string {
  const why = detail === '' || detail === state ? '' : `: ${detail}`
  return `${state} for ${formatDuration(sinceMs)}${why}`
}

export function stateDye(state: EngineStateKind, paint: Paint): (text: string) => string {
  switch (state) {
    case 'ready':
      return paint.good
    case 'starting':
    case 'stopping':
    case 'down':
    case 'asleep':
      return paint.warn
    case 'backoff':
    case 'refused':
    case 'failed':
      return paint.bad
  }
}

export function levelDye(level: Status['memory']['level'], paint: Paint): (text: string) => string {
  switch (level) {
    case 'ok':
      return paint.good
    case 'tight':
      return paint.warn
    case 'critical':
      return paint.bad
    case null:
      return paint.dim
  }
}

/** `ok: 12.0 of 28.0 GiB (43 %)`. */
export function usedText({
  level,
  footprintBytes,
  budgetBytes,
  unknown,
}: Status['memory']): string {
  if (level === null && footprintBytes === null && budgetBytes === null) return 'unknown'
  const of = budgetBytes === null ? 'a budget that is unknown' : formatBytes(budgetBytes)
  const head = level ?? 'level unknown'
  if (footprintBytes !== null) {
    const share =
      budgetBytes === null || budgetBytes <= 0 ? '' : ` (${percent(footprintBytes / budgetBytes)})`
    return `${head}: ${formatBytes(footprintBytes)} of ${of}${share}`
  }
  const why = unknown['footprintBytes']
  return `${head}: what it takes of ${of} is unknown${why === undefined ? '' : ` (${why})`}`
}

/** `planned 13.0 GiB: weights 11.5 GiB, context 0.5 GiB, ...`; null when unknown. */
export function plannedText({ plannedBytes, plannedParts }: Status['memory']): string | null {
  if (plannedBytes === null) return null
  if (plannedParts === null) return `planned ${formatBytes(plannedBytes)}`
  const { weightBytes, contextBytes, workBytes, promptCacheBytes } = plannedParts
  const parts = [
    `weights ${formatBytes(weightBytes)}`,
    `context ${formatBytes(contextBytes)}`,
    `work ${formatBytes(workBytes)}`,
    ...(promptCacheBytes === 0 ? [] : [`prompt cache up to ${formatBytes(promptCacheBytes)}`]),
  ]
  return `planned ${formatBytes(plannedBytes)}: ${parts.join(', ')}`
}

/** What is left for others. */
export function machineText({ availableBytes, swapUsedBytes }: Status['memory']): string {
  const available =
    availableBytes === null
      ? 'what is available is unknown'
      : `${formatBytes(availableBytes)} available on this machine`
  return swapUsedBytes === null || swapUsedBytes === 0
    ? available
    : `${available}, ${formatBytes(swapUsedBytes)} of swap in use`
}

export function gpuText({ gpu, memory: { unknown } }: Status): string {
  const { usedBytes, limitBytes, utilisation } = gpu
  const parts = [
    ...(utilisation === null ? [] : [`${percent(utilisation)} busy`]),
    ...(usedBytes === null ? [] : [gpuMemory(usedBytes, limitBytes)]),
  ]
  if (parts.length > 0) return parts.join(', ')
  const why = unknown['gpuUtilisation'] ?? unknown['gpuUsedBytes']
  return why === undefined ? 'unknown' : `unknown: ${why}`
}

function gpuMemory(usedBytes: number, limitBytes: number | null): string {
  return limitBytes === null
    ? `${formatBytes(usedBytes)} in use`
    : `${formatBytes(usedBytes)} of ${formatBytes(limitBytes)}`
}

export function speedText({
  generatedTokensPerSecond: out,
  promptTokensPerSecond: read,
}: Status['throughput']): string {
  if (out === null && read === null) return 'not measured yet'
  return `generates ${rate(out)}, reads prompts ${rate(read)}`
}

function rate(tokensPerSecond: number | null): string {
  return tokensPerSecond === null ? 'unknown' : `${tokensPerSecond.toFixed(1)} tokens/s`
}

/** What is open now. */
export function nowText({ inFlight, queued, held }: Status['proxy']): string {
  const parts = [some(inFlight, 'in flight'), some(queued, 'queued'), some(held, 'held')]
  const told = parts.filter((part) => part !== '')
  return told.length === 0 ? 'none open' : told.join(', ')
}

/** `152 answered, 1 failed, 48210 tokens`; from when, if that was later than midnight. */
export function todayText({ today }: Status['proxy']): string {
  const { answered, refused, failed, generatedTokens, since } = today
  const told = [
    `${answered} answered`,
    some(failed, 'failed'),
    some(refused, 'refused'),
    some(generatedTokens, 'tokens'),
  ].filter((part) => part !== '')
  const from = new Date(since)
  const isMidnight = from.getHours() === 0 && from.getMinutes() === 0
  const at = `${two(from.getHours())}:${two(from.getMinutes())}`
  return `${told.join(', ')}${isMidnight ? '' : ` (since ${at})`}`
}

export function percent(share: number): string {
  return share > 0 && share < 0.01 ? 'under 1 %' : `${Math.round(share * 100)} %`
}

function some(count: number, word: string): string {
  return count === 0 ? '' : `${count} ${word}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
