/** Memory on Linux, from /proc, the control groups, and nvidia-smi where there is one. */
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
import { wholeLines, wholeNumber } from '../lines.ts'
import { PacedSource } from '../paced-source.ts'
import type { PlatformMemory, PlatformOptions } from '../platform-memory.ts'
import { ratePerSecond } from '../rate.ts'
import { findCgroups, readCgroupRoom } from './cgroup-limit.ts'
import { createFootprintReader } from './engine-footprint.ts'
import { parseMemInfo, parseSwapCounters, type SwapCounters } from './meminfo.ts'
import { nvidiaSmiArgs, parseNvidiaSmi } from './nvidia-smi.ts'
import { parseStalls } from './stalls.ts'

type Sources = ReturnType<typeof createSources>

export function createLinuxMemory(options: PlatformOptions): PlatformMemory {
  const sources = createSources(options)
  return { sources: Object.values(sources), answers: () => answersFrom(sources) }
}

function createSources(options: PlatformOptions) {
  const { clock, doors, enginePid } = options
  const cheap = <Value>(ask: () => Promise<Answer<Value>>): PacedSource<Value> =>
    new PacedSource({ clock, everyMs: cheapEveryMs, ask })
  const footprintOf = createFootprintReader(doors, clock)
  // A process seldom gets into another group.
  const cgroups = new PacedSource({
    clock,
    everyMs: 60_000,
    ask: async () => known(await findCgroups(doors.readText)),
  })
  return {
    machine: cheap(async () => known(parseMemInfo(await doors.readText('/proc/meminfo')))),
    cgroups,
    cgroup: new PacedSource({
      clock,
      everyMs: cheapEveryMs,
      about: () => andThen(cgroups.answer(), () => known('')),
      ask: async () => readCgroupRoom(cgroups.lastValue() ?? [], doors.readText),
    }),
    // ENOENT and EOPNOTSUPP: a kernel built or started without it.
    stalls: cheap(async () =>
      knownOr(
        parseStalls(await doors.readText('/proc/pressure/memory')),
        '/proc/pressure/memory is not understood',
      ),
    ),
    swap: cheap(async () => known(parseSwapCounters(await doors.readText('/proc/vmstat')))),
    pageBytes: pageSizeSource(options),
    footprint: new PacedSource({
      clock,
      everyMs: cheapEveryMs,
      everyMsInVain: 10_000,
      about: enginePid,
      ask: footprintOf,
    }),
    gpu: gpuSource(options),
    devices: devicesSource(options),
    disk: diskSource(options),
  }
}

/** 4096 on most machines, and 16384 or 65536 on some ARM. */
function pageSizeSource({ clock, doors }: PlatformOptions): PacedSource<number> {
  return new PacedSource({
    clock,
    everyMs: Infinity,
    everyMsInVain: 600_000,
    ask: (_about, signal) =>
      askTool(doors, 'getconf', ['PAGESIZE'], {
        deadlineMs: 5000,
        signal,
        read: (stdout) =>
          knownOr(
            wholeNumber(wholeLines(stdout)[0]) || null,
            'getconf does not tell the page size',
          ),
      }),
  })
}

/** It takes the CPU of a core for a moment, and a machine without such a GPU does not get one soon. */
function gpuSource({ clock, doors }: PlatformOptions) {
  return new PacedSource({
    clock,
    everyMs: 10_000,
    everyMsInVain: 600_000,
    ask: (_about, signal) =>
      askTool(doors, 'nvidia-smi', nvidiaSmiArgs, {
        deadlineMs: 5000,
        signal,
        read: (stdout) =>
          knownOr(parseNvidiaSmi(stdout), 'what nvidia-smi prints is not understood'),
      }),
  })
}

const onlyMacOs = unknown('only macOS has it')

function answersFrom(sources: Sources): MemoryAnswers {
  const machine = sources.machine.answer()
  const gpu = sources.gpu.answer()
  const devices = sources.devices.answer()
  return {
    ...roomFrom(sources),
    freePercent: onlyMacOs,
    pressure: unknown('Linux gives no such verdict'),
    stalledPercent: sources.stalls.answer(),
    swapUsedBytes: andThen(machine, ({ swapUsedBytes }) =>
      knownOr(swapUsedBytes, '/proc/meminfo does not tell it'),
    ),
    swapOutBytesPerSecond: swapRate(sources, ({ pagesOut }) => pagesOut),
    swapInBytesPerSecond: swapRate(sources, ({ pagesIn }) => pagesIn),
    compressorBytes: onlyMacOs,
    compressedBytesPerSecond: onlyMacOs,
    decompressedBytesPerSecond: onlyMacOs,
    compressorSegmentsShare: onlyMacOs,
    freeDiskBytes: sources.disk.answer(),
    footprintBytes: sources.footprint.answer(),
    gpuUsedBytes: andThen(gpu, ({ usedBytes }) => knownOr(usedBytes, notToldByGpu)),
    // What the engine can use counts; its list has other GPUs too.
    gpuLimitBytes: firstKnown(
      devices,
      andThen(gpu, ({ totalBytes }) => knownOr(totalBytes, notToldByGpu)),
    ),
    gpuUtilisation: andThen(gpu, ({ busiestPercent }) =>
      busiestPercent === null ? unknown(notToldByGpu) : known(busiestPercent / 100),
    ),
  }
}

const notToldByGpu = 'nvidia-smi does not tell it for this GPU'

/** The machine's, or what the control groups leave, whichever is less. */
function roomFrom(sources: Sources): Pick<MemoryAnswers, 'totalBytes' | 'availableBytes'> {
  const machine = sources.machine.answer()
  const cgroup = sources.cgroup.answer()
  return {
    totalBytes: andThen(machine, ({ totalBytes }) =>
      andThen(cgroup, ({ limitBytes }) => lower(totalBytes, limitBytes)),
    ),
    availableBytes: andThen(machine, (memory) =>
      andThen(cgroup, (room) => lower(memory.availableBytes, room.availableBytes)),
    ),
  }
}

function lower(ours: number | null, limitBytes: number): Answer<number> {
  return ours === null
    ? unknown('/proc/meminfo does not tell it')
    : known(Math.min(ours, limitBytes))
}

function swapRate(sources: Sources, pick: (counters: SwapCounters) => number | null) {
  const counters = sources.swap.answer()
  if (counters.kind === 'unknown') return counters
  const pages = ratePerSecond(sources.swap.change(), 'the swap counter of /proc/vmstat', pick)
  return andThen(pages, (rate) =>
    andThen(sources.pageBytes.answer(), (pageBytes) => known(rate * pageBytes)),
  )
}
