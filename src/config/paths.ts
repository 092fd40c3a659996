/** Where this user's config, state, models, engines, logs and caches live. Pure. */
import { join } from 'node:path'

export interface Paths {
  readonly home: string
  readonly configFile: string
  /** Sockets, lock and pid records; mode 0700. */
  readonly run: string
  readonly models: string
  readonly engines: string
  readonly logs: string
  readonly cache: string
  readonly controlSocket: string
  readonly engineSocket: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Resolves every place from the platform, the home folder and the environment. */
export function resolvePaths(platform: NodeJS.Platform, userHome: string, env: Environment): Paths {
  const places = defaultPlaces(platform, userHome, env)
  const moved = env['OSS20BD_HOME']
  const own = moved === undefined || moved === '' ? places : inOneFolder(moved, places.cache)
  const cache =
    env['OSS20BD_CACHE'] === undefined || env['OSS20BD_CACHE'] === ''
      ? own.cache
      : env['OSS20BD_CACHE']
  return {
    ...own,
    cache,
    controlSocket: join(own.run, 'control.sock'),
    engineSocket: join(own.run, 'engine.sock'),
  }
}

type Places = Omit<Paths, 'controlSocket' | 'engineSocket'>

function inOneFolder(home: string, cache: string): Places {
  return {
    home,
    configFile: join(home, 'config.toml'),
    run: join(home, 'run'),
    models: join(home, 'models'),
    engines: join(home, 'engines'),
    logs: join(home, 'logs'),
    cache,
  }
}

function defaultPlaces(platform: NodeJS.Platform, userHome: string, env: Environment): Places {
  if (platform === 'darwin') {
    const library = join(userHome, 'Library')
    return {
      ...inOneFolder(
        join(library, 'Application Support', 'oss20bd'),
        join(library, 'Caches', 'oss20bd'),
      ),
      logs: join(library, 'Logs', 'oss20bd'),
    }
  }
  const xdg = (name: string, fallback: string): string => {
    const value = env[name]
    return join(value === undefined || value === '' ? join(userHome, fallback) : value, 'oss20bd')
  }
  const data = xdg('XDG_DATA_HOME', '.local/share')
  const state = xdg('XDG_STATE_HOME', '.local/state')
  return {
    home: data,
    configFile: join(xdg('XDG_CONFIG_HOME', '.config'), 'config.toml'),
    // Not XDG_RUNTIME_DIR: a service and an ssh session may disagree on it, and the CLI must find the daemon.
    run: join(state, 'run'),
    models: join(data, 'models'),
    engines: join(data, 'engines'),
    logs: join(state, 'logs'),
    cache: xdg('XDG_CACHE_HOME', '.cache'),
  }
}
