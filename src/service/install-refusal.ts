/** Whether the service can do its work where it is asked for: what launchd would let be installed and would never work. */
import { sep } from 'node:path'
import { parseList } from './launchctl-print.ts'
import type { RunCommand, ServiceKind, ServiceSpec } from './service.ts'
import type { Failure } from './step.ts'

export interface InstallWish {
  readonly kind: ServiceKind
  readonly spec: Pick<ServiceSpec, 'scope' | 'user' | 'folders'>
  /** Who called sudo. */
  readonly sudoUser: string | null
  /** The model file, links followed. */
  readonly model: string
}

/** Homebrew's own service of the same name; theirs are named so. */
export const HOMEBREW_PREFIX = 'homebrew.mxcl.'

/** null when nothing speaks against it. */
export async function refuseInstall(wish: InstallWish, run: RunCommand): Promise<Failure | null> {
  if (wish.spec.scope === 'user' && wish.sudoUser !== null) {
    return {
      message: 'with sudo it would be the service of root, who has no session at the screen',
      hint: 'Run it without sudo, or for the whole machine: sudo oss20bd install --system',
    }
  }
  if (wish.kind === 'systemd') return null
  const { stdout } = await run(['launchctl', 'list'])
  const brewed = `${HOMEBREW_PREFIX}oss20bd`
  if (parseList(stdout).some(({ label }) => label === brewed)) {
    return {
      message: `Homebrew runs it as a service already (${brewed}), and two would fight over the port`,
      hint: 'Stop that one: brew services stop oss20bd, then run the command again',
    }
  }
  return wish.spec.scope === 'system' ? refuseLockedHome(wish, run) : null
}

async function refuseLockedHome(
  { spec, model }: InstallWish,
  run: RunCommand,
): Promise<Failure | null> {
  const isOn = readFileVault((await run(['fdesetup', 'status'])).stdout)
  return judgeLockedHome(isOn, spec, model)
}

/** null when the text does not tell. Pure. */
export function readFileVault(text: string): boolean | null {
  const word = /^FileVault is (On|Off)\b/m.exec(text)?.[1]
  return word === undefined ? null : word === 'On'
}

/** Unknown counts as on: a service that cannot read its model after a boot helps nobody. Pure. */
export function judgeLockedHome(
  isOn: boolean | null,
  { user, folders }: Pick<ServiceSpec, 'user' | 'folders'>,
  model: string,
): Failure | null {
  if (isOn === false) return null
  const locked = [model, folders.home, folders.logs].find((path) =>
    path.startsWith(`${user.home}${sep}`),
  )
  if (locked === undefined) return null
  const vault = isOn === true ? 'FileVault is on' : 'It cannot be told whether FileVault is on'
  return {
    message: `${vault}, and ${locked} is in a home that is locked until somebody logs in`,
    hint: 'Keep all of it elsewhere: sudo OSS20BD_HOME=/usr/local/var/oss20bd oss20bd install --system, with the model there too; or install it without --system',
  }
}
