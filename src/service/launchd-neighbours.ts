/** What can be wrong around the service on a Mac: others that start oss20bd or have its port. One judge for each. Pure. */
import type { Finding } from '../finding.ts'
import { HOMEBREW_PREFIX } from './install-refusal.ts'
import type { LaunchdFacts } from './launchd-facts.ts'
import { quote } from './step-text.ts'

export function homebrewService({ services }: LaunchdFacts): Finding | null {
  const label = `${HOMEBREW_PREFIX}oss20bd`
  if (!services.some((one) => one.label === label)) return null
  return {
    id: 'homebrew-service',
    what: 'Homebrew runs oss20bd as a service too: the two fight over the port',
    why: `launchctl list names ${label}`,
    mend: 'brew services stop oss20bd',
  }
}

export function leftover({ others }: LaunchdFacts): Finding | null {
  const other = others.find(({ label }) => !label.startsWith(HOMEBREW_PREFIX))
  if (other === undefined) return null
  return {
    id: 'leftover',
    what: `Another service starts oss20bd too: ${other.label}`,
    why: `${other.file} names it`,
    mend: mendLeftover(other),
  }
}

/** What is in the folders of the whole Mac belongs to root. */
function mendLeftover({ file, label }: LaunchdFacts['others'][number]): string {
  const domain = file.startsWith('/Library/LaunchDaemons/') ? 'system' : 'gui/$(id -u)'
  const sudo = file.startsWith('/Library/') ? 'sudo ' : ''
  return `${domain === 'system' ? sudo : ''}launchctl bootout ${domain}/${label}; ${sudo}rm ${quote(file)}`
}

export function portTaken({ portHolder, printed, port, services }: LaunchdFacts): Finding | null {
  if (portHolder === null || portHolder.pid === printed?.pid) return null
  const { pid, name } = portHolder
  const label = services.find((one) => one.pid === pid)?.label ?? null
  return {
    id: 'port-taken',
    what: `Another program has the port ${port}: ${label ?? name}`,
    why: `${name} (pid ${pid}) listens on it`,
    mend: mendPort(label, pid, name, port),
  }
}

function mendPort(label: string | null, pid: number, name: string, port: number): string {
  if (label?.startsWith(HOMEBREW_PREFIX) === true) {
    return `brew services stop ${label.slice(HOMEBREW_PREFIX.length)}`
  }
  if (/oss20bd/.test(label ?? name))
    return label === null ? `kill ${pid}` : `launchctl remove ${label}`
  return `oss20bd install --set proxy.port=${port + 1}`
}
