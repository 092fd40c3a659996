/** Tells when one of a few files is not what it was: by looking, which works on every disk and through every link. */
import { realpath, stat } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { errnoOf } from '../errors.ts'

/** A file as it was: another content, place or permission gives another text. */
type Fingerprint = string

export type Fingerprints = ReadonlyMap<string, Fingerprint>

const lookEveryMs = 2000

export async function fingerprintsOf(files: readonly string[]): Promise<Fingerprints> {
  const found = await Promise.all(
    files.map(async (file) => [file, await fingerprint(file)] as const),
  )
  return new Map(found)
}

async function fingerprint(file: string): Promise<Fingerprint> {
  try {
    const { dev, ino, size, mtimeMs, mode, uid } = await stat(file)
    return [await realpath(file), dev, ino, size, mtimeMs, mode, uid].join(' ')
  } catch (error) {
    return errnoOf(error) ?? 'unreadable'
  }
}

/** Whether the same files are as they were. */
export function isSame(now: Fingerprints, before: Fingerprints): boolean {
  return now.size === before.size && [...now].every(([file, print]) => before.get(file) === print)
}

/**
 * Resolves with the files that differ from `seen`, once they are the same at two looks in a row: one
 * that is still being written is not ready to be tried. Rejects when `signal` aborts.
 */
export async function untilFilesChange(
  seen: Fingerprints,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const files = [...seen.keys()]
  let before = seen
  for (;;) {
    await clock.sleep(lookEveryMs, signal)
    const now = await fingerprintsOf(files)
    const changed = files.filter((file) => now.get(file) !== seen.get(file))
    const settled = files.every((file) => now.get(file) === before.get(file))
    if (changed.length > 0 && settled) return changed
    before = now
  }
}
