import { describe, expect, it, test } from 'vitest'
import { createMemorySampler, type SamplerOptions } from '../../../src/memory/memory-sampler.ts'
import type { MemoryReading } from '../../../src/memory/memory-reading.ts'
import type { SystemDoors } from '../../../src/memory/platform-memory.ts'
import type { ToolResult } from '../../../src/run-tool.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { capture } from './captures.ts'

const mib = 2 ** 20
const gib = 2 ** 30

function printed(stdout: string, failure: string | null = null): ToolResult {
  return { kind: 'ended', stdout, failure }
}

const macTools: Record<string, ToolResult | Promise<ToolResult>> = {
  vm_stat: printed(capture('vm_stat-swapusage-top-A-model-swapped-out-macmini-32gb-macos27.0.txt')),
  sysctl: printed(
    `${capture('sysctl-32gb-pressure-warn-unverified-2026-09.txt')}vm.compressor_segment_limit: 814807\niogpu.wired_limit_mb: 0\n`,
  ),
  footprint: printed(capture('footprint-p-swapped-wired-mlx-server-m4-24gb-macos26.5.txt')),
  ioreg: printed(capture('ioreg-IOAccelerator-m4pro.txt')),
  '/engine/llama-server': printed(capture('llama-server-list-devices-m4pro-48gb-tail.log')),
}

interface Scene {
  readonly clock: FakeClock
  readonly tools: Record<string, ToolResult | Promise<ToolResult>>
  readonly files: Record<string, string>
  readonly calls: string[]
  readonly options: SamplerOptions
}

/** A system whose tools and files the test changes as it goes. */
function scene(platform: 'darwin' | 'linux', engine = { pid: 1581 as number | null }): Scene {
  const clock = new FakeClock()
  const tools = platform === 'darwin' ? { ...macTools } : {}
  const files: Record<string, string> = platform === 'darwin' ? {} : { ...linuxFiles }
  const calls: string[] = []
  const doors: SystemDoors = {
    runTool: (file, args) => {
      calls.push([file, ...args].join(' '))
      const shown = file === 'cat' ? files[args[0] ?? ''] : undefined
      if (shown !== undefined) return Promise.resolve(printed(shown))
      return Promise.resolve(tools[file] ?? { kind: 'failed', reason: `there is no ${file} here` })
    },
    readText: (path) => {
      calls.push(path)
      const text = files[path]
      return text === undefined
        ? Promise.reject(Object.assign(new Error(`ENOENT: no ${path}`), { code: 'ENOENT' }))
        : Promise.resolve(text)
    },
    freeDiskBytes: () => Promise.resolve(100 * gib),
  }
  const options: SamplerOptions = {
    platform,
    clock,
    enginePid: () => engine.pid,
    engineFile: () => '/engine/llama-server',
    diskPath: '/',
    doors,
  }
  return { clock, tools, files, calls, options }
}

function timesAsked(calls: readonly string[], start: string): number {
  return calls.filter((call) => call.startsWith(start)).length
}

describe('on macOS', () => {
  it('a reading is put together from all tools', async () => {
    const { clock, options } = scene('darwin')
    await clock.advance(5)
    const { unknown, ...values } = await createMemorySampler(options).sample()
    expect(values).toEqual({
      atMs: 5,
      totalBytes: 32 * gib,
      availableBytes: (10_069 + 398_262 + 11_278) * 16_384,
      freePercent: 50,
      pressure: 'warning',
      stalledPercent: null,
      swapUsedBytes: Math.round(2280.94 * mib),
      swapOutBytesPerSecond: null,
      swapInBytesPerSecond: null,
      compressorBytes: 1_013_366 * 16_384,
      compressedBytesPerSecond: null,
      decompressedBytesPerSecond: null,
      compressorSegmentsShare: (1_013_366 * 16_384 + Math.round(2280.94 * mib)) / 65_536 / 814_807,
      freeDiskBytes: 100 * gib,
      footprintBytes: 5154 * mib,
      gpuUsedBytes: 10_977_263_616,
      gpuLimitBytes: 38_338 * mib,
      gpuUtilisation: 1,
    })
    expect(unknown).toEqual({
      stalledPercent: 'macOS does not measure it',
      swapOutBytesPerSecond: 'a rate needs two readings',
      swapInBytesPerSecond: 'a rate needs two readings',
      compressedBytesPerSecond: 'a rate needs two readings',
      decompressedBytesPerSecond: 'a rate needs two readings',
    })
  })

  it('rates are of the time between two readings', async () => {
    const { clock, tools, options } = scene('darwin')
    const sampler = createMemorySampler(options)
    const counters = (swapIns: number, swapOuts: number): ToolResult =>
      printed(
        `Mach Virtual Memory Statistics: (page size of 16384 bytes)\nSwapins: ${swapIns}.\nSwapouts: ${swapOuts}.\nCompressions: ${swapOuts}.\nDecompressions: ${swapIns}.\n`,
      )
    tools['vm_stat'] = counters(100, 100)
    await sampler.sample()
    await clock.advance(2000)
    tools['vm_stat'] = counters(50, 300)
    const reading = await sampler.sample()
    expect(reading.swapOutBytesPerSecond).toBe(100 * 16_384)
    expect(reading.compressedBytesPerSecond).toBe(100 * 16_384)
    expect(reading.swapInBytesPerSecond).toBeNull()
    expect(reading.unknown.swapInBytesPerSecond).toContain('went back from')
    expect(reading.unknown.decompressedBytesPerSecond).toContain('went back from')
  })

  it('dear tools are asked rarely, and the engine for its GPUs once', async () => {
    const { clock, calls, options } = scene('darwin')
    const stop = new AbortController()
    const running = createMemorySampler(options).run(stop.signal)
    await clock.advance(59_000)
    stop.abort()
    await running
    expect(timesAsked(calls, 'vm_stat')).toBe(30)
    expect(timesAsked(calls, 'sysctl hw.memsize kern.memorystatus_vm_pressure_level')).toBe(30)
    expect(timesAsked(calls, 'ioreg -r -d 1 -w 0 -c IOAccelerator')).toBe(6)
    expect(timesAsked(calls, 'footprint -p 1581')).toBe(2)
    expect(timesAsked(calls, '/engine/llama-server --list-devices')).toBe(1)
    expect(timesAsked(calls, 'top')).toBe(0)
    expect(timesAsked(calls, 'memory_pressure')).toBe(0)
  })

  it('top tells the footprint where footprint does not', async () => {
    const { tools, calls, options } = scene('darwin', { pid: 2945 })
    // It tells of another process.
    tools['top'] = printed(capture('top-l1-mem-m1pro-16gb-macos15.7.5.txt'))
    expect(await createMemorySampler(options).sample()).toMatchObject({ footprintBytes: 520 * mib })
    expect(calls).toContain('top -l 1 -pid 2945 -stats pid,mem')
  })

  it('memory_pressure tells what sysctl may not', async () => {
    const { tools, calls, options } = scene('darwin')
    tools['sysctl'] = printed('', 'sysctl ended with status 1: sysctl: Operation not permitted')
    tools['memory_pressure'] = printed(capture('memory_pressure-Q-warn-m4-24gb-macos26.5.txt'))
    const reading = await createMemorySampler(options).sample()
    expect(reading).toMatchObject({ totalBytes: 24 * gib, freePercent: 37, pressure: null })
    expect(reading.unknown.pressure).toBe('sysctl does not tell it')
    expect(calls).toContain('memory_pressure -Q')
  })

  it('a limit of the GPU that is set while it runs makes the engine tell it anew', async () => {
    const { clock, tools, calls, options } = scene('darwin')
    const sampler = createMemorySampler(options)
    await sampler.sample()
    await clock.advance(2000)
    tools['sysctl'] = printed('iogpu.wired_limit_mb: 40000\n')
    tools['/engine/llama-server'] = { kind: 'failed', reason: 'it hangs' }
    expect(await sampler.sample()).toMatchObject({ gpuLimitBytes: 40_000 * mib })
    expect(timesAsked(calls, '/engine/llama-server')).toBe(2)
    // A call that fails says nothing of the limit.
    await clock.advance(2000)
    tools['sysctl'] = { kind: 'failed', reason: 'sysctl did not answer within 5 s' }
    expect((await sampler.sample()).unknown.pressure).toBe('sysctl did not answer within 5 s')
    expect(timesAsked(calls, '/engine/llama-server')).toBe(2)
  })

  it('nothing is 0 for want of a value: without any tool all is unknown, each with its reason', async () => {
    const { options } = scene('darwin')
    const runTool = (file: string): Promise<ToolResult> =>
      Promise.resolve({ kind: 'failed', reason: `there is no ${file} here` })
    const doors = {
      runTool,
      readText: () => Promise.reject(new Error('none')),
      freeDiskBytes: () => Promise.reject(new Error('ENOENT: no such disk')),
    }
    const reading = await createMemorySampler({ ...options, doors }).sample()
    const { atMs: _atMs, unknown, ...values } = reading
    expect(Object.values(values).every((value) => value === null)).toBe(true)
    expect(Object.keys(unknown).toSorted()).toEqual(Object.keys(values).toSorted())
    expect(unknown.footprintBytes).toBe('there is no top here')
    expect(unknown.availableBytes).toBe('there is no vm_stat here')
  })

  it('a value that no machine has is unknown', async () => {
    const { tools, options } = scene('darwin')
    tools['sysctl'] = printed(
      'vm.swapusage: total = 1.00T  used = 1.00T  free = 0.00M\nvm.compressor_segment_limit: 1\n',
    )
    tools['vm_stat'] = printed(
      'Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free: 9007199254740991.\nFile-backed pages: 1.\nPages purgeable: 1.\n',
    )
    const reading = await createMemorySampler(options).sample()
    expect(reading.availableBytes).toBeNull()
    expect(reading.unknown.availableBytes).toContain('makes no sense')
  })
})

const linuxFiles = {
  '/proc/meminfo':
    'MemTotal: 33554432 kB\nMemAvailable: 16777216 kB\nSwapTotal: 1024 kB\nSwapFree: 512 kB\n',
  '/proc/pressure/memory': 'some avg10=1.50 avg60=0.00 avg300=0.00 total=1\n',
  '/proc/vmstat': 'pswpin 0\npswpout 0\n',
  '/proc/self/cgroup': '0::/app\n',
  '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  '/sys/fs/cgroup/app/memory.max': 'max\n',
  '/proc/1581/status': 'VmRSS: 1024 kB\nVmSwap: 0 kB\n',
  '/proc/1581/smaps_rollup': 'Pss: 1000 kB\nSwapPss: 0 kB\n',
}

describe('on Linux', () => {
  it('a reading is put together from files, and nvidia-smi where there is one', async () => {
    const { tools, options } = scene('linux')
    tools['nvidia-smi'] = printed('2048, 24564, 50\n')
    const { unknown, ...values } = await createMemorySampler(options).sample()
    expect(values).toEqual({
      atMs: 0,
      totalBytes: 32 * gib,
      availableBytes: 16 * gib,
      freePercent: null,
      pressure: null,
      stalledPercent: 1.5,
      swapUsedBytes: 512 * 1024,
      swapOutBytesPerSecond: null,
      swapInBytesPerSecond: null,
      compressorBytes: null,
      compressedBytesPerSecond: null,
      decompressedBytesPerSecond: null,
      compressorSegmentsShare: null,
      freeDiskBytes: 100 * gib,
      footprintBytes: 1000 * 1024,
      gpuUsedBytes: 2048 * mib,
      gpuLimitBytes: 24_564 * mib,
      gpuUtilisation: 0.5,
    })
    expect(unknown.pressure).toBe('Linux gives no such verdict')
  })

  it('the limit of a control group counts when it is lower than the machine', async () => {
    const { files, options } = scene('linux')
    files['/sys/fs/cgroup/app/memory.max'] = `${8 * gib}\n`
    files['/sys/fs/cgroup/app/memory.current'] = `${7 * gib}\n`
    expect(await createMemorySampler(options).sample()).toMatchObject({
      totalBytes: 8 * gib,
      availableBytes: gib,
    })
  })

  it('what the machine has counts when it is lower than what the group leaves', async () => {
    const { files, options } = scene('linux')
    files['/sys/fs/cgroup/app/memory.max'] = `${64 * gib}\n`
    files['/sys/fs/cgroup/app/memory.current'] = `${gib}\n`
    expect(await createMemorySampler(options).sample()).toMatchObject({
      totalBytes: 32 * gib,
      availableBytes: 16 * gib,
    })
  })

  it('swapped pages are of the size that this kernel uses', async () => {
    const { clock, tools, files, options } = scene('linux')
    const sampler = createMemorySampler(options)
    await sampler.sample()
    await clock.advance(2000)
    files['/proc/vmstat'] = 'pswpin 10\npswpout 20\n'
    const reading = await sampler.sample()
    expect(reading.unknown.swapInBytesPerSecond).toBe('there is no getconf here')
    tools['getconf'] = printed('65536\n')
    await clock.advance(600_000)
    await sampler.sample()
    await clock.advance(2000)
    files['/proc/vmstat'] = 'pswpin 20\npswpout 60\n'
    expect(await sampler.sample()).toMatchObject({
      swapInBytesPerSecond: 5 * 65_536,
      swapOutBytesPerSecond: 20 * 65_536,
    })
  })

  it('the share of the engine is counted seldom, and follows its pages in between', async () => {
    const { clock, files, calls, options } = scene('linux')
    const sampler = createMemorySampler(options)
    await sampler.sample()
    await clock.advance(2000)
    files['/proc/1581/status'] = 'VmRSS: 5024 kB\nVmSwap: 100 kB\n'
    expect(await sampler.sample()).toMatchObject({ footprintBytes: 5100 * 1024 })
    expect(timesAsked(calls, 'cat /proc/1581/smaps_rollup')).toBe(1)
    files['/proc/1581/smaps_rollup'] = 'Pss: 4000 kB\nSwapPss: 100 kB\n'
    await clock.advance(58_000)
    expect(await sampler.sample()).toMatchObject({ footprintBytes: 4100 * 1024 })
    expect(timesAsked(calls, 'cat /proc/1581/smaps_rollup')).toBe(2)
  })

  test.each([
    [{}, 'the engine has just ended'],
    [{ '/proc/1581/status': 'State: Z (zombie)\n' }, 'the engine has just ended'],
    [
      { '/proc/1581/status': 'VmRSS: 1 kB\nVmSwap: 0 kB\n', '/proc/1581/smaps_rollup': '' },
      'the kernel does not tell what the engine takes',
    ],
  ])('the engine has no footprint with %j', async (files, reason) => {
    const { options, files: all } = scene('linux')
    delete (all as Partial<typeof linuxFiles>)['/proc/1581/status']
    Object.assign(all, files)
    const reading = await createMemorySampler(options).sample()
    expect(reading.footprintBytes).toBeNull()
    expect(reading.unknown.footprintBytes).toBe(reason)
  })

  it('another engine is not taken for the one before', async () => {
    const engine = { pid: 1581 as number | null }
    const { options, files } = scene('linux', engine)
    const sampler = createMemorySampler(options)
    await sampler.sample()
    engine.pid = null
    expect(await sampler.sample()).toMatchObject({
      footprintBytes: null,
      unknown: { footprintBytes: 'no engine runs' },
    })
    engine.pid = 1600
    files['/proc/1600/status'] = 'VmRSS: 10 kB\nVmSwap: 0 kB\n'
    files['/proc/1600/smaps_rollup'] = 'Pss: 9 kB\nSwapPss: 0 kB\n'
    expect(await sampler.sample()).toMatchObject({ footprintBytes: 9 * 1024 })
  })

  it('a kernel that measures no stalls says so', async () => {
    const { options, files } = scene('linux')
    delete files['/proc/pressure/memory']
    expect((await createMemorySampler(options).sample()).unknown.stalledPercent).toContain('ENOENT')
  })
})

describe('the sampler', () => {
  it('hands out a reading every 2 s and keeps the latest', async () => {
    const { clock, options } = scene('linux')
    const readings: MemoryReading[] = []
    const stop = new AbortController()
    const sampler = createMemorySampler({ ...options, onReading: (next) => readings.push(next) })
    expect(sampler.latest()).toBeNull()
    const running = sampler.run(stop.signal)
    await clock.advance(4500)
    stop.abort()
    await running
    expect(readings.map(({ atMs }) => atMs)).toEqual([0, 2000, 4000])
    expect(sampler.latest()).toBe(readings[2])
  })

  it('does not wait for a tool that hangs: its last value stands, and the others are read', async () => {
    const { clock, tools, options } = scene('darwin')
    const sampler = createMemorySampler(options)
    await sampler.sample()
    await clock.advance(10_000)
    let end: (result: ToolResult) => void = () => undefined
    tools['ioreg'] = new Promise((resolve) => {
      end = resolve
    })
    tools['sysctl'] = printed('hw.memsize: 17179869184\nkern.memorystatus_level: 5\n')
    const sampling = sampler.sample()
    await clock.advance(1000)
    expect(await sampling).toMatchObject({ totalBytes: 16 * gib, gpuUtilisation: 1 })
    end({ kind: 'failed', reason: 'ioreg did not answer within 10 s' })
    await settle()
    expect((await sampler.sample()).unknown.gpuUtilisation).toBe('ioreg did not answer within 10 s')
  })

  it('waits longer when asked to', async () => {
    const { clock, tools, options } = scene('darwin')
    let end: (result: ToolResult) => void = () => undefined
    tools['/engine/llama-server'] = new Promise((resolve) => {
      end = resolve
    })
    const sampling = createMemorySampler(options).sample(30_000)
    await clock.advance(5000)
    end(printed('Available devices:\n  MTL0: Apple M4 (100 MiB, 90 MiB free)\n'))
    expect(await sampling).toMatchObject({ gpuLimitBytes: 100 * mib })
  })
})
