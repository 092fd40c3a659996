/** Runs the daemon as a process: config, folders, lock, logs, signals; then `startDaemon`. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { ensureFolders } from '../config/ensure-folders.ts'
import { configError, loadConfig } from '../config/load-config.ts'
import { resolvePaths, type Paths } from '../config/paths.ts'
import { messageOf, Oss20bdError } from '../errors.ts'
import type { DaemonReport } from './control-protocol.ts'
import { startDaemon } from './daemon.ts'
import { acquireInstanceLock } from './instance-lock.ts'
import { onStopSignals } from './signals.ts'
import { createLogger } from './winston-logger.ts'

export interface DaemonArguments {
  /** null = where the paths say. */
  readonly configFile: string | null
  /** Config keys to values, as `proxy.port` to `8021`. */
  readonly flags: Readonly<Record<string, string>>
  /** Logs to stdout too. */
  readonly foreground: boolean
  readonly version: string
}

/** Resolves with the exit status when the daemon has ended; throws when it cannot start. */
export async function runDaemon(args: DaemonArguments): Promise<number> {
  try {
    return await run(args)
  } catch (error) {
    report({
      kind: 'failed',
      code: error instanceof Oss20bdError ? error.code : 'bug',
      message: messageOf(error),
      hint: error instanceof Oss20bdError ? (error.hint ?? null) : null,
    })
    throw error
  }
}

async function run(args: DaemonArguments): Promise<number> {
  const paths = resolvePaths(process.platform, homedir(), process.env)
  const config = await readConfig(args, paths)
  await ensureFolders(paths)
  // A daemon must not hold the folder that it happened to be started in.
  process.chdir(paths.home)
  const lock = await acquireInstanceLock(join(paths.run, 'daemon.lock'))
  try {
    return await runUnderLock(args, config, paths)
  } finally {
    await lock.release()
  }
}

async function runUnderLock(args: DaemonArguments, config: Config, paths: Paths): Promise<number> {
  const { level, maxBytes, keep } = config.log
  const logs = createLogger({
    folder: paths.logs,
    level,
    maxBytes,
    keep,
    console: args.foreground,
    clock: systemClock,
  })
  const ending = new AbortController()
  const off = onStopSignals({
    graceful: (signal) => {
      logs.logger.info('stopping', { signal })
      ending.abort()
    },
    // The engine follows: its stdin closes with us.
    // oxlint-disable-next-line unicorn/no-process-exit -- the second signal means at once
    now: () => process.exit(1),
  })
  try {
    const daemon = await startDaemon({
      config,
      paths,
      version: args.version,
      clock: systemClock,
      log: logs.logger,
      engineLog: (lineLevel, text) => logs.engineLine(lineLevel, text),
      onShutdown: () => ending.abort(),
    })
    report({ kind: 'listening' })
    await aborted(ending.signal)
    await daemon.stop()
    return 0
  } catch (error) {
    logs.logger.error('cannot run', { error: messageOf(error) })
    throw error
  } finally {
    off()
    await logs.close()
  }
}

async function readConfig(args: DaemonArguments, paths: Paths): Promise<Config> {
  const loaded = await loadConfig({
    file: args.configFile ?? paths.configFile,
    fileRequired: args.configFile !== null,
    env: process.env,
    flags: args.flags,
    readFile: (file) => readFile(file, 'utf8'),
  })
  if (loaded.kind === 'invalid') throw configError(loaded.problems)
  return loaded.config
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Tells whoever started us in the background, once, and lets go of the channel. */
function report(message: DaemonReport): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, () => process.disconnect())
}
