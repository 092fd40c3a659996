/** The link `models/current` that says which model is used. */
import { readlink, realpath, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { fileError } from '../errors.ts'

/** Replaces the link in one step; a target in the same folder is named without its folder, so that home can move. */
export async function pointTo(link: string, file: string): Promise<void> {
  const folder = await realpath(dirname(link)).catch(() => dirname(link))
  const target = dirname(file) === folder || dirname(file) === dirname(link) ? basename(file) : file
  if ((await readlink(link).catch(() => null)) === target) return
  const temporary = `${link}.${process.pid}.tmp`
  try {
    await symlink(target, temporary)
    await rename(temporary, link)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('choose the model', link, error)
  }
}
