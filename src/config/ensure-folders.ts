/** Makes the folders that the daemon writes to, or says clearly why it cannot. */
import { constants } from 'node:fs'
import { access, chmod, mkdir } from 'node:fs/promises'
import { fileError, Oss20bdError } from '../errors.ts'
import type { Paths } from './paths.ts'

/** The longest path a unix socket may have, in bytes with the closing NUL. */
const SOCKET_PATH_LIMIT = { darwin: 104, linux: 108 }

type Folders = Pick<Paths, 'home' | 'run' | 'models' | 'engines' | 'logs'>
type Sockets = Pick<Paths, 'controlSocket' | 'engineSocket'>

/** Throws `state-folder` or `disk-full`. Folders that exist keep their mode, but `run` is always 0700. */
export async function ensureFolders(
  paths: Folders & Sockets,
  platform: NodeJS.Platform = process.platform,
): Promise<void> {
  assertSocketPathsFit(paths, platform)
  for (const folder of [paths.home, paths.run, paths.models, paths.engines, paths.logs]) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      if (folder === paths.run) await chmod(folder, 0o700)
      await access(folder, constants.W_OK | constants.X_OK)
    } catch (error) {
      throw fileError('use the state folder', folder, error)
    }
  }
}

/** A longer path is cut by some systems and refused with a riddle by others. Throws `state-folder`. */
export function assertSocketPathsFit(sockets: Sockets, platform: NodeJS.Platform): void {
  const limit = platform === 'darwin' ? SOCKET_PATH_LIMIT.darwin : SOCKET_PATH_LIMIT.linux
  for (const path of [sockets.controlSocket, sockets.engineSocket]) {
    const length = Buffer.byteLength(path) + 1
    if (length <= limit) continue
    throw new Oss20bdError(
      'state-folder',
      `Cannot use the socket path ${path}: it has ${length - 1} bytes, at most ${limit - 1} are possible`,
      { hint: 'Set OSS20BD_HOME to a shorter folder, as OSS20BD_HOME=~/.oss20bd' },
    )
  }
}
