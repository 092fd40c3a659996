/** The links `models/current` and `engines/current`, which say what is in use. */
import { readlink, realpath, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { fileError } from './errors.ts'

/**
 * Replaces the link in one step; a target in the same folder is named without its folder, so that home can move.
 * `action` is for the error: "choose the model".
 */
export async function pointTo(link: string, target: string, action: string): Promise<void> {
  const folder = await realpath(dirname(link)).catch(() => dirname(link))
  const isBeside = dirname(target) === folder || dirname(target) === dirname(link)
  const named = isBeside ? basename(target) : target
  if ((await readlink(link).catch(() => null)) === named) return
  const temporary = `${link}.${process.pid}.tmp`
  try {
    await symlink(named, temporary)
    await rename(temporary, link)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError(action, link, error)
  }
}
