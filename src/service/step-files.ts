/** The steps that touch files and folders. Each throws an Oss20bdError that names the place. */
import { randomUUID } from 'node:crypto'
import { chown, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf, fileError } from '../errors.ts'
import type { MakeFolder, Owner, WriteFile } from './step.ts'

export async function makeFolder({ path, mode, owner }: MakeFolder): Promise<void> {
  try {
    const made = await mkdir(path, { recursive: true, mode })
    if (made !== undefined) await giveTo(owner, path)
  } catch (error) {
    throw fileError('make the folder', path, error)
  }
}

/** Beside it and moved over it: a reader finds the old text or the new one, and a link is not followed. */
export async function writeWhole({ path, text, mode, owner }: WriteFile): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}`)
  try {
    const file = await open(draft, 'wx', mode)
    try {
      await file.writeFile(text)
      // The umask took bits from the mode.
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await giveTo(owner, draft)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined)
    throw fileError('write the file', path, error)
  }
}

export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw fileError('remove the file', path, error)
  }
}

export async function removeFolder(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 })
  } catch (error) {
    throw fileError('remove the folder', path, error)
  }
}

export async function removeEmptyFolder(path: string): Promise<void> {
  try {
    await rmdir(path)
  } catch (error) {
    // Gone already, or somebody else's file is in it: then the folder is theirs.
    if (['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) return
    throw fileError('remove the folder', path, error)
  }
}

/** The group stays. */
export async function giveTo(owner: Owner, path: string): Promise<void> {
  if (owner !== null) await chown(path, owner, -1)
}
