/** What `ioreg` prints of the GPU. Pure. */
import { percent, wholeLines, wholeNumber } from '../lines.ts'

export const ioregArgs = ['-r', '-d', '1', '-w', '0', '-c', 'IOAccelerator'] as const

export interface GpuStatistics {
  readonly model: string | null
  readonly cores: number | null
  /** 0 to 100, all three. */
  readonly devicePercent: number | null
  readonly rendererPercent: number | null
  readonly tilerPercent: number | null
  /** Falls when the GPU is idle. */
  readonly usedBytes: number | null
  /** Can be more than the machine has: good for a trend, not for a sum. */
  readonly allocatedBytes: number | null
  /** How often the GPU was reset. */
  readonly resets: number | null
}

/** The first Apple GPU; null when none is listed. */
export function parseIoreg(text: string): GpuStatistics | null {
  const lines = wholeLines(text)
  const start = lines.findIndex((line) => /^\s*\+-o AGXAccelerator/.test(line))
  if (start === -1) return null
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => /^\s*\+-o /.test(line))
  const properties = new Map((end === -1 ? rest : rest.slice(0, end)).map(readProperty))
  const statistics = readNumbers(properties.get('PerformanceStatistics') ?? '')
  return {
    model: /^"(.*)"$/.exec(properties.get('model') ?? '')?.[1] ?? null,
    cores: wholeNumber(properties.get('gpu-core-count')),
    devicePercent: percent(statistics.get('Device Utilization %')),
    rendererPercent: percent(statistics.get('Renderer Utilization %')),
    tilerPercent: percent(statistics.get('Tiler Utilization %')),
    usedBytes: wholeNumber(statistics.get('In use system memory')),
    allocatedBytes: wholeNumber(statistics.get('Alloc system memory')),
    resets: wholeNumber(statistics.get('recoveryCount')),
  }
}

function readProperty(line: string): [name: string, value: string] {
  const [, name, value] = /^\s*"([^"]+)" = (.*)$/.exec(line) ?? []
  return [name ?? '', value ?? '']
}

/** The numbers of `{"name"=1,"other"=2}`. Whole names only: some begin like others. */
function readNumbers(dictionary: string): Map<string, string> {
  const pairs = dictionary.matchAll(/"([^"]+)"=(-?\d+)(?=[,}])/g)
  return new Map([...pairs].map(([, name, value]) => [name ?? '', value ?? '']))
}
