/** What the machine is, and whether another reader of its memory agrees with ours, both from systeminformation. */
import type { Clock } from '../clock.ts'
import { withinTime } from '../process-tree.ts'
import { type Answer, known, unknown } from './answer.ts'
import type { MemoryReading } from './memory-reading.ts'

/** null for what is not told. */
export interface MachineFacts {
  /** `Mac14,12`, `Docker Container`. */
  readonly model: string | null
  /** `Apple M4`, `AMD EPYC`. */
  readonly chip: string | null
  readonly cores: number | null
  /** `macOS 26.5`, `Debian GNU/Linux 12`. */
  readonly system: string | null
}

export interface CrossCheck {
  readonly usedBytes: number
  readonly otherUsedBytes: number
  /** Within a tenth of the memory: the two are not taken at the same moment. */
  readonly agrees: boolean
}

/** The functions of systeminformation that are asked, for tests. */
export interface Informant {
  cpu(): Promise<{ manufacturer: string; brand: string; cores: number }>
  osInfo(): Promise<{ distro: string; release: string }>
  system(): Promise<{ model: string }>
  mem(): Promise<{ total: number; available: number; active: number }>
}

/** It starts tools without a deadline of its own. */
const deadlineMs = 10_000
const toleratedShare = 0.1

/** Never rejects. */
export async function readMachineFacts(
  clock: Pick<Clock, 'sleep'>,
  given?: Informant,
): Promise<MachineFacts> {
  // Large, and wanted only by who diagnoses.
  const informant: Informant = given ?? (await import('systeminformation'))
  const ask = <Value>(question: Promise<Value>): Promise<Value | null> =>
    withinTime(
      question.catch(() => null),
      deadlineMs,
      clock,
    )
  const [chip, os, machine] = await Promise.all([
    ask(informant.cpu()),
    ask(informant.osInfo()),
    ask(informant.system()),
  ])
  return {
    model: named(machine?.model),
    chip: named(chip?.manufacturer, chip?.brand),
    cores: chip === null || chip.cores === 0 ? null : chip.cores,
    system: named(os?.distro, os?.release),
  }
}

/**
 * Compares what is in use. On macOS only what it calls active is of use: it counts what Activity Monitor does, while
 * its other numbers take nearly all memory for used. Never rejects.
 */
export async function crossCheckMemory(
  { totalBytes, availableBytes }: Pick<MemoryReading, 'totalBytes' | 'availableBytes'>,
  platform: NodeJS.Platform,
  clock: Pick<Clock, 'sleep'>,
  given?: Pick<Informant, 'mem'>,
): Promise<Answer<CrossCheck>> {
  if (totalBytes === null || availableBytes === null) return unknown('there is no reading of ours')
  const informant: Pick<Informant, 'mem'> = given ?? (await import('systeminformation'))
  const other = await withinTime(
    informant.mem().catch(() => null),
    deadlineMs,
    clock,
  )
  if (other === null) return unknown('systeminformation does not tell it')
  if (other.total !== totalBytes) return unknown('it knows nothing of the limits of control groups')
  const usedBytes = totalBytes - availableBytes
  const otherUsedBytes = platform === 'darwin' ? other.active : other.total - other.available
  const differsBytes = Math.abs(usedBytes - otherUsedBytes)
  return known({ usedBytes, otherUsedBytes, agrees: differsBytes <= totalBytes * toleratedShare })
}

function named(...parts: readonly (string | undefined)[]): string | null {
  const name = parts
    .flatMap((part) => (part === undefined || part.trim() === '' ? [] : [part.trim()]))
    .join(' ')
  return name === '' ? null : name
}
