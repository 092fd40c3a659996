/** Holds what a conversion takes of disk and memory against what there is, and says both, before anything is written. */
import { statfs } from 'node:fs/promises'
import { Oss20bdError } from '../../errors.ts'
import { formatBytes } from '../../units.ts'
import type { Context } from '../command.ts'
import { askIfRunning } from '../control-client.ts'

/** Left free, so that the last byte of the model is not the last of the disk. */
const SPARE_DISK_BYTES = 512 * 2 ** 20

export interface Need {
  /** On the disk of `folder`, at the highest. */
  readonly diskBytes: number
  readonly memoryBytes: number
}

/** null for what the system does not tell. */
export interface Room {
  readonly folder: string
  readonly freeDiskBytes: number | null
  readonly availableMemoryBytes: number | null
  /** The model that the daemon keeps loaded could be given back. */
  readonly modelIsLoaded: boolean
}

export async function readRoom({ paths }: Context, folder: string): Promise<Room> {
  const [disk, status] = await Promise.all([
    statfs(folder).catch(() => null),
    askIfRunning(paths.controlSocket).catch(() => null),
  ])
  return {
    folder,
    freeDiskBytes: disk === null ? null : disk.bavail * disk.bsize,
    availableMemoryBytes: status?.memory.availableBytes ?? (await availableBytes()),
    modelIsLoaded: status?.engine.state === 'ready',
  }
}

async function availableBytes(): Promise<number | null> {
  const { mem } = await import('systeminformation')
  return mem().then(
    ({ available }) => (available > 0 ? available : null),
    () => null,
  )
}

/** Throws `disk-full` or `model-unusable` for what there is no room for; `action` is "quantize the model". Pure. */
export function assertRoom(action: string, need: Need, room: Room): void {
  const { folder, freeDiskBytes, availableMemoryBytes, modelIsLoaded } = room
  const diskBytes = need.diskBytes + SPARE_DISK_BYTES
  if (freeDiskBytes !== null && freeDiskBytes < diskBytes) {
    const have = `${formatBytes(freeDiskBytes)} free on the disk of ${folder}`
    throw new Oss20bdError(
      'disk-full',
      `Cannot ${action}: ${have}, ${formatBytes(diskBytes)} needed`,
      { hint: 'Free some space, or write it to another disk' },
    )
  }
  if (availableMemoryBytes === null || availableMemoryBytes >= need.memoryBytes) return
  const have = `${formatBytes(availableMemoryBytes)} of memory available`
  throw new Oss20bdError(
    'model-unusable',
    `Cannot ${action}: ${have}, ${formatBytes(need.memoryBytes)} needed`,
    {
      hint: modelIsLoaded
        ? 'Give the memory of the loaded model back meanwhile: oss20bd unload'
        : 'Close other apps, then run the same command again',
    },
  )
}

/** `Takes up to 4.6 GiB of disk (77.0 GiB free) and 1.2 GiB of memory (21.4 GiB available)`. Pure. */
export function needText({ diskBytes, memoryBytes }: Need, room: Room): string {
  const disk = `${formatBytes(diskBytes)} of disk (${shown(room.freeDiskBytes)} free)`
  const memory = `${formatBytes(memoryBytes)} of memory (${shown(room.availableMemoryBytes)} available)`
  return `Takes up to ${disk} and ${memory}`
}

function shown(bytes: number | null): string {
  return bytes === null ? 'an unknown amount' : formatBytes(bytes)
}
