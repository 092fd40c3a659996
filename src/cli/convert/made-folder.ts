/** Makes a folder of the cache in one step: complete under its name, or not there. */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf, fileError } from '../../errors.ts'

export async function isMade(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => null)
  return found?.isDirectory() === true
}

/** `make` is given an empty folder that gets the name of `folder` when it has resolved; nothing is left of a failure. */
export async function makeFolder(
  folder: string,
  make: (temporary: string) => Promise<void>,
): Promise<void> {
  if (await isMade(folder)) return
  const parent = dirname(folder)
  const temporary = join(parent, `.${basename(folder)}.making-${process.pid}`)
  try {
    await mkdir(parent, { recursive: true })
    await sweep(parent)
    await mkdir(temporary)
    await make(temporary)
    await rename(temporary, folder)
  } catch (error) {
    // Another run may have made it meanwhile.
    if (!isTaken(error) || !(await isMade(folder))) {
      throw isOfSystem(error) ? fileError('prepare the converter', folder, error) : error
    }
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 3 })
  }
}

function isTaken(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')
}

function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

/** What runs that were killed left behind. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(/\.making-(\d+)$/.exec(name)?.[1] ?? '0')
    if (pid > 0 && !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true })
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}
