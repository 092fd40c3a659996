/** The doctor's look at the folders: may we write where we must. */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../../errors.ts'
import type { Finding } from '../../finding.ts'
import { quote } from '../../service/step-text.ts'
import { configFileOf } from '../settings.ts'
import type { DoctorPart, Examined } from './part.ts'

export interface PlaceFacts {
  readonly path: string
  readonly isFolder: boolean
  /** Whose it is; null when it cannot even be looked at. */
  readonly ownerUid: number | null
  readonly isAllowed: boolean
}

export const foldersPart: DoctorPart = {
  name: 'folders',
  examine: async (context) => {
    const { home, run, models, engines, logs, cache } = context.paths
    const folders = await Promise.all(
      [home, run, models, engines, logs, cache].map((path) => lookAt(path, true)),
    )
    const config = await lookAt(configFileOf(context), false)
    const places = [...folders, config].filter((place) => place !== null)
    return examineFolders(home, unique(places), process.getuid?.() ?? 0)
  },
}

/** A folder that is not there yet is the first one above it that is; a file that is not there is no place. */
async function lookAt(path: string, isFolder: boolean): Promise<PlaceFacts | null> {
  try {
    const { uid: ownerUid } = await stat(path)
    const mode = isFolder ? constants.R_OK | constants.W_OK | constants.X_OK : constants.R_OK
    const isAllowed = await access(path, mode).then(
      () => true,
      () => false,
    )
    return { path, isFolder, ownerUid, isAllowed }
  } catch (error) {
    const isMissing = errnoOf(error) === 'ENOENT'
    if (isMissing && !isFolder) return null
    if (isMissing && dirname(path) !== path) return lookAt(dirname(path), true)
    return { path, isFolder, ownerUid: null, isAllowed: false }
  }
}

function unique(places: readonly PlaceFacts[]): readonly PlaceFacts[] {
  return [...new Map(places.map((place) => [place.path, place])).values()]
}

/** Pure. */
export function examineFolders(home: string, places: readonly PlaceFacts[], uid: number): Examined {
  const closed = places.find(({ isAllowed }) => !isAllowed)
  const state = closed === undefined ? `yours to write to (${home})` : `not all yours (${home})`
  return { state, findings: closed === undefined ? [] : [closedPlace(closed, uid)] }
}

const FOLDER = { id: 'folder-closed', what: 'oss20bd may not write to one of its folders' }
const CONFIG = { id: 'config-closed', what: 'oss20bd may not read its config' }

/** One is enough: what is in a folder that is closed cannot be told apart from it. */
function closedPlace({ path, isFolder, ownerUid }: PlaceFacts, uid: number): Finding {
  const kind = isFolder ? FOLDER : CONFIG
  if (ownerUid === uid) {
    const mend = `chmod u+${isFolder ? 'rwx' : 'r'} ${quote(path)}`
    return { ...kind, why: `${path} is closed to you, its owner`, mend }
  }
  const why =
    ownerUid === null
      ? `${path} is in a folder that is closed to you`
      : `${path} belongs to another user (${ownerUid}): it was made with sudo`
  return { ...kind, why, mend: `sudo chown -R "$(id -un)" ${quote(path)}` }
}
