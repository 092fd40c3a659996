/** Reads macOS diagnostic reports (`.ips`): two JSON documents, the first on one line. Pure; never throws. */
import { parseStampMs } from './evidence.ts'

interface JetsamProcess {
  readonly pid: number
  readonly name: string
  /** Set only for processes that were killed. */
  readonly reason: string | null
  readonly peakBytes: number | null
}

interface JetsamReport {
  readonly kind: 'jetsam'
  readonly atMs: number | null
  /** Everything that ran, killed or not. */
  readonly processes: readonly JetsamProcess[]
}

export interface CrashReport {
  readonly kind: 'crash'
  readonly atMs: number | null
  readonly pid: number
  readonly name: string
  /** `EXC_BAD_ACCESS (SIGSEGV)`, `KERN_INVALID_ADDRESS at 0x0`; what is there of it. */
  readonly exception: readonly string[]
  readonly terminationNamespace: string | null
  readonly terminationIndicator: string | null
  /** The innermost functions of the thread that crashed, innermost first. */
  readonly frames: readonly string[]
}

export type IpsReport = JetsamReport | CrashReport

const framesShown = 6

/**
 * null for other kinds of report, and for one that is cut or still being written: it may be whole at
 * the next look. `largestProcess` is left alone, it is not the victim.
 */
export function parseIps(text: string): IpsReport | null {
  const lineEnd = text.indexOf('\n')
  const first = parseObject(lineEnd < 0 ? text : text.slice(0, lineEnd))
  const body = first === null ? parseObject(text) : parseObject(text.slice(lineEnd + 1))
  if (body === null) return null
  const header = first ?? body
  const atMs = parseStampMs(stringAt(header, 'timestamp') ?? '')
  const bugType = header['bug_type']
  if (String(bugType) === '298') return readJetsam(body, atMs)
  if (String(bugType) === '309') return readCrash(body, atMs)
  return null
}

function readJetsam(body: Fields, atMs: number | null): JetsamReport | null {
  // A header whose body is not there yet.
  if (!Array.isArray(body['processes'])) return null
  const pageBytes = numberAt(fieldsAt(body, 'memoryStatus'), 'pageSize')
  const processes = listAt(body, 'processes').flatMap((entry) => {
    const pid = numberAt(entry, 'pid')
    if (pid === null) return []
    const peakPages = numberAt(entry, 'lifetimeMax')
    return {
      pid,
      name: stringAt(entry, 'name') ?? '',
      reason: stringAt(entry, 'reason'),
      peakBytes: peakPages === null || pageBytes === null ? null : peakPages * pageBytes,
    }
  })
  return { kind: 'jetsam', atMs, processes }
}

function readCrash(body: Fields, atMs: number | null): CrashReport | null {
  const pid = numberAt(body, 'pid')
  if (pid === null) return null
  const exception = fieldsAt(body, 'exception')
  const termination = fieldsAt(body, 'termination')
  const type = stringAt(exception, 'type')
  const signal = stringAt(exception, 'signal')
  const named = type !== null && signal !== null ? `${type} (${signal})` : (type ?? signal)
  return {
    kind: 'crash',
    atMs,
    pid,
    name: stringAt(body, 'procName') ?? '',
    exception: [named, stringAt(exception, 'subtype')].filter((part) => part !== null),
    terminationNamespace: stringAt(termination, 'namespace'),
    terminationIndicator: stringAt(termination, 'indicator'),
    frames: readFrames(body),
  }
}

function readFrames(body: Fields): string[] {
  const threads = listAt(body, 'threads')
  const faulting = threads[numberAt(body, 'faultingThread') ?? -1]
  const thread = faulting ?? threads.find((candidate) => candidate['triggered'] === true) ?? {}
  const images = listAt(body, 'usedImages')
  return listAt(thread, 'frames')
    .slice(0, framesShown)
    .map((frame) => {
      const image = stringAt(images[numberAt(frame, 'imageIndex') ?? -1] ?? {}, 'name') ?? '?'
      const offset = numberAt(frame, 'imageOffset')
      const place = stringAt(frame, 'symbol') ?? (offset === null ? '?' : `+${offset}`)
      return `${place} (${image})`
    })
}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseObject(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : null
  } catch {
    return null
  }
}

function fieldsAt(fields: Fields, name: string): Fields {
  const value = fields[name]
  return isFields(value) ? value : {}
}

/** An array with a hole for what is no object, so that positions stay. */
function listAt(fields: Fields, name: string): Fields[] {
  const value: unknown = fields[name]
  return Array.isArray(value) ? value.map((entry: unknown) => (isFields(entry) ? entry : {})) : []
}

function stringAt(fields: Fields, name: string): string | null {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : null
}

function numberAt(fields: Fields, name: string): number | null {
  const value = fields[name]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}
