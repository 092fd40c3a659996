/** Whether the service is installed here, from a look at one or two files. */
import { stat } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import type { ServiceKind, ServiceSpec } from '../service/service.ts'
import { unitFiles } from '../service/unit-file.ts'
import type { Context } from './command.ts'

export type Scope = ServiceSpec['scope']

/** Tests on Linux drive launchd's side with a stand-in. */
export function kindHere({ env }: Pick<Context, 'env'>): ServiceKind {
  const isMac = env['OSS20BD_TEST_PLATFORM'] === 'darwin' || process.platform === 'darwin'
  return isMac ? 'launchd' : 'systemd'
}

export function self(): ServiceSpec['user'] {
  const { username, uid } = userInfo()
  return { name: username, uid, home: homedir() }
}

/** null when none is installed. */
export async function findUnit(
  context: Context,
): Promise<{ readonly kind: ServiceKind; readonly scope: Scope } | null> {
  const kind = kindHere(context)
  const user = self()
  for (const scope of ['user', 'system'] as const) {
    if (await isThere(unitFiles[kind]({ scope, user }))) return { kind, scope }
  }
  return null
}

/** As which it is installed here; null when it is not. */
export async function installedScope(context: Context): Promise<Scope | null> {
  return (await findUnit(context))?.scope ?? null
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
