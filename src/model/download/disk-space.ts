/** Refuses a download that the disk cannot hold. */
import { statfs } from 'node:fs/promises'
import { Oss20bdError } from '../../errors.ts'
import { formatBytes } from '../../units.ts'

/** Left free, so that the last byte of the model is not the last of the disk. */
export const SPARE_DISK_BYTES = 512 * 2 ** 20

/** Throws `disk-full` when the disk of `folder` has less than `neededBytes` free. */
export async function assertSpace(
  folder: string,
  neededBytes: number,
  readFreeBytes: (folder: string) => Promise<number> = freeBytesOf,
): Promise<void> {
  const freeBytes = await readFreeBytes(folder)
  if (freeBytes >= neededBytes) return
  const have = formatBytes(freeBytes)
  throw new Oss20bdError(
    'disk-full',
    `Cannot download the model: ${have} free on the disk of ${folder}, ${formatBytes(neededBytes)} needed`,
    { hint: 'Free some space, then run the same command again: it goes on where it stopped' },
  )
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
