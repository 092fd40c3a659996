/** Memory on macOS, from the system's own tools. */
import {
  type Answer,
  andThen,
  firstKnown,
  known,
  knownOr,
  type MemoryAnswers,
  unknown,
} from '../answer.ts'
import { askTool, cheapEveryMs, devicesSource, diskSource } from '../common-sources.ts'
import { PacedSource } from '../paced-source.ts'
import type { PlatformMemory, PlatformOptions } from '../platform-memory.ts'
import { ratePerSecond } from '../rate.ts'
import { parseFootprint } from './footprint.ts'
import { type GpuStatistics, ioregArgs, parseIoreg } from './ioreg.ts'
import { memoryPressureArgs, type MemoryPressure, parseMemoryPressure } from './memory-pressure.ts'
import { parseSysctl, type Sysctl, sysctlKeys } from './sysctl.ts'
import { parseTop, topArgs } from './top.ts'
import { parseVmStat, type VmStat } from './vm-stat.ts'

type Sources = ReturnType<typeof createSources>

export function createDarwinMemory(options: PlatformOptions): PlatformMemory {
  const sources = createSources(options)
  return { sources: Object.values(sources), answers: () => answersFrom(sources) }
}

const sysctlFirst = unknown('sysctl has not been read yet')

const cheapDeadlineMs = 5000
const dearDeadlineMs = 10_000

function createSources(options: PlatformOptions) {
  const sysctl = sysctlSource(options)
  return {
    pages: pagesSource(options),
    sysctl,
    verdict: verdictSource(options, sysctl),
    footprint: footprintSource(options),
    gpu: gpuSource(options),
    // Metal follows this setting at once.
    devices: devicesSource(options, () =>
      sysctl.wasAnswered() ? known(String(sysctl.lastValue()?.wiredLimitMib)) : sysctlFirst,
    ),
    disk: diskSource(options),
  }
}

function pagesSource({ clock, doors }: PlatformOptions): PacedSource<VmStat> {
  return new PacedSource({
    clock,
    everyMs: cheapEveryMs,
    ask: (_about, signal) =>
      askTool(doors, 'vm_stat', [], {
        deadlineMs: cheapDeadlineMs,
        signal,
        read: (stdout) => knownOr(parseVmStat(stdout), 'what vm_stat prints is not understood'),
      }),
  })
}

function sysctlSource({ clock, doors }: PlatformOptions): PacedSource<Sysctl> {
  return new PacedSource({
    clock,
    everyMs: cheapEveryMs,
    ask: (_about, signal) =>
      askTool(doors, 'sysctl', sysctlKeys, {
        deadlineMs: cheapDeadlineMs,
        signal,
        read: (stdout) => known(parseSysctl(stdout)),
      }),
  })
}

/** Only where sysctl, which tells the same, does not: it may be denied in a sandbox. */
function verdictSource(
  { clock, doors }: PlatformOptions,
  sysctl: PacedSource<Sysctl>,
): PacedSource<MemoryPressure> {
  return new PacedSource({
    clock,
    everyMs: cheapEveryMs,
    about: () => {
      if (!sysctl.wasAnswered()) return sysctlFirst
      return sysctlTells(sysctl.answer()) ? unknown('sysctl tells it') : known('')
    },
    ask: (_about, signal) =>
      askTool(doors, 'memory_pressure', memoryPressureArgs, {
        deadlineMs: cheapDeadlineMs,
        signal,
        read: (stdout) => known(parseMemoryPressure(stdout)),
      }),
  })
}

function sysctlTells(told: Answer<Sysctl>): boolean {
  return told.kind === 'known' && told.value.freePercent !== null && told.value.totalBytes !== null
}

/** Both look into the process, and top takes up to a second for it. */
function footprintSource({ clock, doors, enginePid }: PlatformOptions): PacedSource<number> {
  return new PacedSource({
    clock,
    everyMs: 30_000,
    about: enginePid,
    ask: async (pid, signal) => {
      const limits = { deadlineMs: dearDeadlineMs, signal }
      const exact = await askTool(doors, 'footprint', ['-p', pid], {
        ...limits,
        read: (stdout) => footprintOf(stdout, Number(pid)),
      })
      if (exact.kind === 'known' || signal.aborted) return exact
      const rounded = await askTool(doors, 'top', topArgs(pid), {
        ...limits,
        read: (stdout) => knownOr(parseTop(stdout, Number(pid)), 'top does not show the engine'),
      })
      return firstKnown(rounded, exact)
    },
  })
}

function footprintOf(stdout: string, pid: number): Answer<number> {
  const found = parseFootprint(stdout)
  return found?.pid === pid
    ? known(found.footprintBytes)
    : unknown('footprint does not tell what the engine takes')
}

function gpuSource({ clock, doors }: PlatformOptions): PacedSource<GpuStatistics> {
  return new PacedSource({
    clock,
    everyMs: 10_000,
    ask: (_about, signal) =>
      askTool(doors, 'ioreg', ioregArgs, {
        deadlineMs: dearDeadlineMs,
        signal,
        read: (stdout) => knownOr(parseIoreg(stdout), 'ioreg lists no Apple GPU'),
      }),
  })
}

function answersFrom(sources: Sources): MemoryAnswers {
  const { pages } = sources
  const gpu = sources.gpu.answer()
  return {
    ...machineFrom(sources),
    availableBytes: andThen(pages.answer(), availableOf),
    stalledPercent: unknown('macOS does not measure it'),
    swapOutBytesPerSecond: pageRate(pages, 'Swapouts of vm_stat', 'swapOuts'),
    swapInBytesPerSecond: pageRate(pages, 'Swapins of vm_stat', 'swapIns'),
    compressorBytes: andThen(pages.answer(), (found) =>
      knownOr(inBytes(found, 'occupiedByCompressor'), notInVmStat),
    ),
    compressedBytesPerSecond: pageRate(pages, 'Compressions of vm_stat', 'compressions'),
    decompressedBytesPerSecond: pageRate(pages, 'Decompressions of vm_stat', 'decompressions'),
    freeDiskBytes: sources.disk.answer(),
    footprintBytes: sources.footprint.answer(),
    gpuUsedBytes: andThen(gpu, ({ usedBytes }) => knownOr(usedBytes, notInIoreg)),
    gpuLimitBytes: firstKnown(sources.devices.answer(), limitSet(sources.sysctl.answer())),
    gpuUtilisation: andThen(gpu, ({ devicePercent }) =>
      devicePercent === null ? unknown(notInIoreg) : known(devicePercent / 100),
    ),
  }
}

const notInSysctl = 'sysctl does not tell it'
const notInVmStat = 'vm_stat does not tell it'
const notInIoreg = 'ioreg does not tell it'

type ByKernel =
  | 'totalBytes'
  | 'freePercent'
  | 'pressure'
  | 'swapUsedBytes'
  | 'compressorSegmentsShare'

/** What sysctl tells, and `memory_pressure` where it does not. */
function machineFrom({ pages, sysctl, verdict }: Sources): Pick<MemoryAnswers, ByKernel> {
  const told = sysctl.answer()
  const instead = verdict.answer()
  return {
    totalBytes: firstKnown(
      andThen(told, ({ totalBytes }) => knownOr(totalBytes, notInSysctl)),
      andThen(instead, ({ totalBytes }) => knownOr(totalBytes, notInSysctl)),
    ),
    freePercent: firstKnown(
      andThen(told, ({ freePercent }) => knownOr(freePercent, notInSysctl)),
      andThen(instead, ({ freePercent }) => knownOr(freePercent, notInSysctl)),
    ),
    pressure: andThen(told, ({ pressure }) => knownOr(pressure, notInSysctl)),
    swapUsedBytes: andThen(told, ({ swap }) => knownOr(swap?.usedBytes, notInSysctl)),
    compressorSegmentsShare: andThen(told, (kernel) =>
      andThen(pages.answer(), (found) => segmentsShare(found, kernel)),
    ),
  }
}

/**
 * Free, and what can be had by dropping it: pages of files (Activity Monitor's "Cached Files") and what programs
 * said they can spare. The pages that vm_stat calls speculative are among those of files.
 */
function availableOf(pages: VmStat): Answer<number> {
  const { free, fileBacked, purgeable, pageBytes } = pages
  if (free === null || fileBacked === null || purgeable === null) return unknown(notInVmStat)
  return known((free + fileBacked + purgeable) * pageBytes)
}

const segmentBytes = 65_536

/** A segment holds 64 KiB, in memory or swapped out. By measurements of others: the kernel does not tell the number. */
function segmentsShare(pages: VmStat, { swap, segmentLimit }: Sysctl): Answer<number> {
  const inMemory = inBytes(pages, 'occupiedByCompressor')
  if (inMemory === null) return unknown(notInVmStat)
  if (swap === null || segmentLimit === null) return unknown(notInSysctl)
  return known((inMemory + swap.usedBytes) / segmentBytes / segmentLimit)
}

/** A limit that somebody set is the GPU's, as long as the engine has not said otherwise; 0 stands for the system's own. */
function limitSet(told: Answer<Sysctl>): Answer<number> {
  return andThen(told, ({ wiredLimitMib }) =>
    wiredLimitMib === null || wiredLimitMib === 0
      ? unknown(notInSysctl)
      : known(wiredLimitMib * 2 ** 20),
  )
}

type Counter = 'swapIns' | 'swapOuts' | 'compressions' | 'decompressions'

function pageRate(pages: PacedSource<VmStat>, name: string, counter: Counter): Answer<number> {
  const answer = pages.answer()
  if (answer.kind === 'unknown') return answer
  return ratePerSecond(pages.change(), name, (found) => inBytes(found, counter))
}

function inBytes(pages: VmStat, name: Counter | 'occupiedByCompressor'): number | null {
  const count = pages[name]
  return count === null ? null : count * pages.pageBytes
}
