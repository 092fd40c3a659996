/** A disk without room, for tests of what must go on all the same. */
import { execFile } from 'node:child_process'
import { rm, symlink, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { TempDir } from './temp-dir.ts'

const run = promisify(execFile)

export interface FullDisk extends AsyncDisposable {
  readonly folder: string
  /** Makes room again. */
  free(): Promise<void>
}

/** A small disk that is full, for root on Linux; else a log `file` that behaves as if, or cannot be made. */
export async function fullDisk(dir: TempDir, file: string): Promise<FullDisk> {
  const folder = dir.path
  const disk = (unmount: () => Promise<unknown>, free: () => Promise<void>): FullDisk => ({
    folder,
    free,
    [Symbol.asyncDispose]: async () => {
      await unmount()
    },
  })
  const nothing = (): Promise<void> => Promise.resolve()
  if (process.platform !== 'linux') {
    await writeFile(dir.file('logs'), 'a file in the way')
    return { ...disk(nothing, () => rm(dir.file('logs'))), folder: dir.file('logs') }
  }
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).then(
    () => true,
    () => false,
  )
  if (mounted) {
    await writeFile(dir.file('ballast'), Buffer.alloc(2 ** 23)).catch(() => undefined)
    return disk(
      () => run('umount', [folder]),
      () => rm(dir.file('ballast')),
    )
  }
  process.stderr.write('Not root: /dev/full stands in for a full disk\n')
  await symlink('/dev/full', dir.file(file))
  return disk(nothing, () => rm(dir.file(file)))
}
