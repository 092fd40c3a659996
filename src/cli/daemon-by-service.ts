/** Starts, ends and restarts the daemon: through the service when one is installed, else as a background process. */
import { Oss20bdError } from '../errors.ts'
import type { Context } from './command.ts'
import { installedScope, type Scope } from './find-unit.ts'
import { findInstalled, serviceHere } from './service-here.ts'
import { runService } from './service-run.ts'
import { spawnDaemon } from './spawn-daemon.ts'

/** Resolves when a daemon answers. Call it when none does. */
export async function bringUpDaemon(context: Context): Promise<void> {
  const scope = await installedScope(context)
  if (scope === null) return spawnDaemon(context)
  const here = await serviceHere(context, scope)
  const { found } = await findInstalled(here)
  await runService('start', here, found)
}

/** Resolves when the service has ended; null when none is loaded. */
export async function endService(
  context: Context,
): Promise<{ readonly scope: Scope; readonly pid: number | null } | null> {
  const scope = await installedScope(context)
  if (scope === null) return null
  const here = await serviceHere(context, scope)
  const { found, state } = await findInstalled(here)
  if (!found.loaded) return null
  await runService('stop', here, found)
  return { scope, pid: state.kind === 'running' ? state.pid : null }
}

/** Throws `usage` when none is installed. */
export async function restartService(context: Context): Promise<void> {
  const scope = await installedScope(context)
  if (scope === null) {
    throw new Oss20bdError('usage', 'Cannot restart the service: none is installed', {
      hint: 'Install it: oss20bd install. Without one: oss20bd stop, then oss20bd start',
    })
  }
  const here = await serviceHere(context, scope)
  const { found } = await findInstalled(here)
  await runService('restart', here, found)
}
