/** Reads what the macOS kernel logged about memory from `log show`. Pure; never throws. */
import { parseStampMs } from './evidence.ts'

export type DarwinSign =
  /** It killed a process; `reason` and size where it says them. */
  | {
      readonly kind: 'killed'
      readonly atMs: number | null
      readonly pid: number
      readonly name: string
      readonly reason: string | null
      readonly heldBytes: number | null
      readonly line: string
    }
  /** It was in need; no process is named. */
  | { readonly kind: 'shortage'; readonly atMs: number | null; readonly what: DarwinShortage }

export type DarwinShortage = 'swap file not created' | 'no paging space' | 'compressor exhausted'

/** `log show --predicate`: the kernel's lines about memory, which are few. */
export const memoryPredicate: string =
  'process == "kernel" AND (eventMessage CONTAINS "memorystatus" OR eventMessage CONTAINS "low swap"' +
  ' OR eventMessage CONTAINS "no paging space" OR eventMessage CONTAINS "compressor_exhausted")'

/** Every sign in an output of `log show`, in ndjson or a line style. */
export function parseDarwinLog(output: string): DarwinSign[] {
  return output.split('\n').flatMap((line) => {
    const { atMs, message } = readEntry(line.slice(0, maxLineChars))
    return readMessage(message, atMs)
  })
}

const maxLineChars = 16_384
const maxMessageChars = 1000

function readEntry(line: string): { atMs: number | null; message: string } {
  const plain = { atMs: parseStampMs(line.slice(0, 40)), message: line.slice(0, maxMessageChars) }
  if (!line.startsWith('{')) return plain
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry !== 'object' || entry === null) return plain
    const message = 'eventMessage' in entry ? String(entry.eventMessage) : ''
    const stamp = 'timestamp' in entry ? String(entry.timestamp) : ''
    return { atMs: parseStampMs(stamp), message: message.slice(0, maxMessageChars) }
  } catch {
    return plain
  }
}

function readMessage(message: string, atMs: number | null): DarwinSign[] {
  const kill = readKill(message)
  if (kill !== null) return [{ kind: 'killed', atMs, ...kill }]
  const what = readShortage(message)
  return what === null ? [] : [{ kind: 'shortage', atMs, what }]
}

interface Kill {
  readonly pid: number
  readonly name: string
  readonly reason: string | null
  readonly heldBytes: number | null
  readonly line: string
}

function readKill(message: string): Kill | null {
  const swap =
    /low swap: killing largest compressed process with pid (\d+) \(([^)]*)\) and size (\d+) MB/.exec(
      message,
    )
  if (swap !== null) {
    const [line, pid, name = '', size] = swap
    const heldBytes = Number(size) * 2 ** 20
    return { pid: Number(pid), name, reason: 'low swap', heldBytes, line }
  }
  const status =
    /killing_\w+_process pid (\d+) \[([^\]]*)\](?: \(([a-z-]+)[^)]*\))?(?: (\d+)KB)?/.exec(message)
  if (status !== null) {
    const [line, pid, name = '', reason = null, size] = status
    const heldBytes = size === undefined ? null : Number(size) * 1024
    return { pid: Number(pid), name, reason, heldBytes, line }
  }
  const limit = /memorystatus: (\S[^[]*) \[(\d+)\] exceeded mem limit/.exec(message)
  if (limit === null) return null
  const [line, name = '', pid] = limit
  return { pid: Number(pid), name, reason: 'per-process-limit', heldBytes: null, line }
}

function readShortage(message: string): DarwinShortage | null {
  if (message.includes('failed to create swapfile')) return 'swap file not created'
  if (message.includes('triggering no paging space action')) return 'no paging space'
  if (/compressor_exhausted"?\s*:\s*1\b/.test(message)) return 'compressor exhausted'
  if (message.includes('killing due to "vm-compressor-space-shortage"'))
    return 'compressor exhausted'
  return null
}
