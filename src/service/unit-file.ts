/** Where the plist or the unit of the service is. Pure, and without all else that the two systems need. */
import { join } from 'node:path'
import type { ServiceKind, ServiceSpec } from './service.ts'

type Place = Pick<ServiceSpec, 'scope' | 'user'>

/** launchd wants a file that is named after it. */
export const LABEL = 'dev.oss20bd.daemon'
export const UNIT = 'oss20bd.service'

export function plistFile({ scope, user }: Place): string {
  const folder =
    scope === 'system' ? '/Library/LaunchDaemons' : join(user.home, 'Library', 'LaunchAgents')
  return join(folder, `${LABEL}.plist`)
}

/** Not XDG_CONFIG_HOME: the manager goes by its own environment, and a shell may say otherwise. */
export function unitFolder({ scope, user }: Place): string {
  return scope === 'system' ? '/etc/systemd/system' : join(user.home, '.config', 'systemd', 'user')
}

export function unitFile(place: Place): string {
  return join(unitFolder(place), UNIT)
}

export const unitFiles: Readonly<Record<ServiceKind, (place: Place) => string>> = {
  launchd: plistFile,
  systemd: unitFile,
}
