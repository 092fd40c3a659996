/** What `sysctl` tells of memory. Pure. */
import { percent, sizeInBytes, wholeLines, wholeNumber } from '../lines.ts'

/** One call for all: a key that a system does not know is a line on stderr, the others are printed. */
export const sysctlKeys = [
  'hw.memsize',
  'kern.memorystatus_vm_pressure_level',
  'kern.memorystatus_level',
  'vm.swapusage',
  'vm.compressor_segment_limit',
  'iogpu.wired_limit_mb',
] as const

export interface SwapUsage {
  readonly totalBytes: number
  readonly usedBytes: number
  readonly freeBytes: number
}

/** null where a key is missing or its value is none that it can have. */
export interface Sysctl {
  readonly totalBytes: number | null
  readonly pressure: 'normal' | 'warning' | 'critical' | null
  /** 0 to 100. */
  readonly freePercent: number | null
  readonly swap: SwapUsage | null
  readonly segmentLimit: number | null
  /** 0: the system's own limit, not "none". */
  readonly wiredLimitMib: number | null
}

export function parseSysctl(text: string): Sysctl {
  const values = new Map(wholeLines(text).map(readLine))
  const whole = (key: (typeof sysctlKeys)[number]): number | null => wholeNumber(values.get(key))
  return {
    totalBytes: whole('hw.memsize') || null,
    pressure: pressureLevels[values.get('kern.memorystatus_vm_pressure_level') ?? ''] ?? null,
    freePercent: percent(values.get('kern.memorystatus_level')),
    swap: parseSwapUsage(values.get('vm.swapusage') ?? ''),
    segmentLimit: whole('vm.compressor_segment_limit') || null,
    wiredLimitMib: whole('iogpu.wired_limit_mb'),
  }
}

/** `total = 3072.00M  used = 2280.94M  free = 791.06M  (encrypted)`; some locales write `2280,94M`. */
export function parseSwapUsage(value: string): SwapUsage | null {
  const [, total, used, free] =
    /^total = (\S+) {2}used = (\S+) {2}free = (\S+)(?: {2}\(encrypted\))?$/.exec(value.trim()) ?? []
  const totalBytes = sizeInBytes(total ?? '')
  const usedBytes = sizeInBytes(used ?? '')
  const freeBytes = sizeInBytes(free ?? '')
  if (totalBytes === null || usedBytes === null || freeBytes === null) return null
  return { totalBytes, usedBytes, freeBytes }
}

/** 2 stands for "urgent" too; other numbers have no meaning. */
const pressureLevels: Readonly<Record<string, Sysctl['pressure']>> = {
  '1': 'normal',
  '2': 'warning',
  '4': 'critical',
}

function readLine(line: string): [key: string, value: string] {
  const end = line.indexOf(': ')
  return end === -1 ? ['', ''] : [line.slice(0, end), line.slice(end + 2).trim()]
}
