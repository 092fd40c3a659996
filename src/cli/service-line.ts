/** How the service is, in one line for `oss20bd status`: from files alone, so that it costs a few milliseconds. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { packageFile } from '../service/installed-program.ts'
import type { Context } from './command.ts'
import { findUnit, type Scope } from './find-unit.ts'

/** What stands in the files that `oss20bd install` wrote. */
export interface InstalledService {
  readonly kind: 'launchd' | 'systemd'
  readonly scope: Scope
  /** Of the copy that it runs, as `0.1.0-1f2e3d4c5b6a`; null when the record of it is missing. */
  readonly program: string | null
}

/** null when none is installed. Asks neither launchctl nor systemctl, never throws. */
export async function readInstalledService(context: Context): Promise<InstalledService | null> {
  const installed = await findUnit(context)
  if (installed === null) return null
  const record = await readFile(packageFile({ folders: context.paths }), 'utf8').catch(() => '')
  const folder = record.trim()
  const { kind, scope } = installed
  return { kind, scope, program: folder === '' ? null : basename(folder) }
}

/**
 * `launchd, from login on (0.1.0)`. `daemonVersion` is that of the daemon that runs, null when none does: then, and
 * when it is not the version that the service runs, the line says so. Pure.
 */
export function serviceLine(
  { kind, scope, program }: InstalledService,
  daemonVersion: string | null,
): string {
  const from = scope === 'system' ? 'from boot on' : 'from login on'
  const what = `${kind}, ${from}`
  if (program === null) return `${what}, incomplete; mend it: oss20bd install`
  const version = program.replace(/-[0-9a-f]+$/, '')
  if (daemonVersion === null) return `${what} (${version}), does not run; see: oss20bd doctor`
  if (daemonVersion !== version) {
    return `${what} (${version}), while the daemon is ${daemonVersion}; see: oss20bd doctor`
  }
  return `${what} (${version})`
}
