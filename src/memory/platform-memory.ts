/** What the sampler needs of a system, and the doors through which a system is asked. */
import { readFile, statfs } from 'node:fs/promises'
import { type Clock, systemClock } from '../clock.ts'
import { createToolRunner, type RunTool } from '../run-tool.ts'
import type { Answer, MemoryAnswers } from './answer.ts'
import type { PacedSource } from './paced-source.ts'

/** One system's way to the values of a reading. */
export interface PlatformMemory {
  /** Each keeps its own pace. */
  readonly sources: readonly Pick<PacedSource<unknown>, 'refresh' | 'close'>[]
  /** By the latest that the sources found. */
  answers(): MemoryAnswers
}

export interface SystemDoors {
  readonly runTool: RunTool
  /** Rejects as `readFile` does. */
  readonly readText: (path: string) => Promise<string>
  readonly freeDiskBytes: (path: string) => Promise<number>
}

export interface PlatformOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly doors: SystemDoors
  /** Unknown when none runs. */
  readonly enginePid: () => Answer<string>
  readonly engineFile: () => Answer<string>
  /** A folder on the disk that holds the swap file. */
  readonly diskPath: string
}

/** On macOS the system's own folders, so that nothing on the PATH stands in for a tool. */
const darwinPath = '/usr/bin:/bin:/usr/sbin:/sbin'

/** What a tool may need to find its libraries and its GPU; our own settings stay here. */
const passedOn = [
  'PATH',
  'HOME',
  'LD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
  'NVIDIA_VISIBLE_DEVICES',
]

export function systemDoors(
  platform: NodeJS.Platform,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  clock: Pick<Clock, 'sleep'> = systemClock,
): SystemDoors {
  const kept = Object.fromEntries(
    passedOn.flatMap((name) => {
      const value = environment[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const env = platform === 'darwin' ? { ...kept, PATH: darwinPath } : kept
  return {
    runTool: createToolRunner({ clock, environment: env }),
    readText: (path) => readFile(path, 'utf8'),
    freeDiskBytes: async (path) => {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    },
  }
}
