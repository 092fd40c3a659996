/** Runs the daemon as a process: config, folders, lock, logs, signals; then `startDaemon`. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { ensureFolders } from '../config/ensure-folders.ts'
import { configError, loadConfig, type LoadedConfig } from '../config/load-config.ts'
import { resolvePaths, type Paths } from '../config/paths.ts'
import { messageOf, Oss20bdError } from '../errors.ts'
import { openServiceNotify } from '../host/service-notify.ts'
import type { DaemonReport } from './control-protocol.ts'
import { startDaemon } from './daemon.ts'
import { acquireInstanceLock } from './instance-lock.ts'
import { onStopSignals } from './signals.ts'
import { stayUp } from './stay-up.ts'
import { type Journal, openJournal } from './journal.ts'
import { createLogger, type Logs } from './winston-logger.ts'

export interface DaemonArguments {
  /** null = where the paths say. */
  readonly configFile: string | null
  /** Config keys to values, as `proxy.port` to `8021`. */
  readonly flags: Readonly<Record<string, string>>
  /** Logs to stdout too. */
  readonly foreground: boolean
  /** A service manager would start it again at once: it stays when it cannot run. */
  readonly service: boolean
  readonly version: string
}

/** As they were where the daemon was started: it goes elsewhere, and reads its config again there. */
interface StartArguments extends DaemonArguments {
  readonly cwd: string
  /** Aborted when it is to end. */
  readonly ending: AbortController
}

/** Resolves with the exit status when the daemon has ended; throws when it cannot start. */
export function runDaemon(args: DaemonArguments): Promise<number> {
  const started = startArguments(args)
  return args.service ? runService(started) : runOnce(started)
}

/** Where it was started matters to every try: the first one goes elsewhere. */
function startArguments(given: DaemonArguments): StartArguments {
  const cwd = process.cwd()
  const configFile = given.configFile === null ? null : resolve(cwd, given.configFile)
  return { ...given, configFile, cwd, ending: new AbortController() }
}

/** Throws only what is a bug. */
async function runService(args: StartArguments): Promise<number> {
  const paths = resolvePaths(process.platform, homedir(), process.env)
  const { ending } = args
  // Between two tries nobody else listens to them.
  const off = onStopSignals({
    graceful: () => ending.abort(),
    // oxlint-disable-next-line unicorn/no-process-exit -- the second signal means at once
    now: () => process.exit(1),
  })
  try {
    return await stayUp({
      attempt: () => run(args),
      configFile: args.configFile ?? paths.configFile,
      controlSocket: paths.controlSocket,
      clock: systemClock,
      ending,
      onFailed: ({ message, hint = '' }) => {
        process.stderr.write(`${new Date().toISOString()} oss20bd: ${message}\n  ${hint}\n`)
      },
    })
  } finally {
    off()
  }
}

async function runOnce(args: StartArguments): Promise<number> {
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

async function run(args: StartArguments): Promise<number> {
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

async function runUnderLock(args: StartArguments, config: Config, paths: Paths): Promise<number> {
  const { level, maxBytes, keep } = config.log
  const console = args.foreground
  const logs = createLogger({
    folder: paths.logs,
    level,
    maxBytes,
    keep,
    console,
    clock: systemClock,
  })
  const { logger } = logs
  const journal = await openJournal({
    folder: paths.logs,
    clock: systemClock,
    onTrouble: (reason) => logger.warn('cannot write the journal', { reason }),
    onLost: (events) => logger.warn('the journal lacks events', { events }),
  })
  try {
    tellStart(journal, args.version)
    await runUntilStopped(args, { config, paths, logs, journal })
    journal.write({ kind: 'daemon-stopped', message: 'The daemon ended, as asked' })
    return 0
  } catch (error) {
    logger.error('cannot run', { error: messageOf(error) })
    journal.write({ kind: 'daemon-stopped', message: `The daemon cannot run: ${messageOf(error)}` })
    throw error
  } finally {
    await journal.close()
    await logs.close()
  }
}

interface Prepared {
  readonly config: Config
  readonly paths: Paths
  readonly logs: Logs
  readonly journal: Journal
}

async function runUntilStopped(args: StartArguments, prepared: Prepared): Promise<void> {
  const { config, paths, logs, journal } = prepared
  const { ending } = args
  const off = onStopSignals({
    graceful: (signal) => {
      journal.write({ kind: 'asked', message: `Told to stop (${signal})`, facts: { signal } })
      ending.abort()
    },
    // The engine follows: its stdin closes with us.
    // oxlint-disable-next-line unicorn/no-process-exit -- the second signal means at once
    now: () => process.exit(1),
  })
  try {
    const daemon = await startDaemon({
      config,
      loadConfig: () => load(args, paths),
      configFile: args.configFile ?? paths.configFile,
      paths,
      version: args.version,
      clock: systemClock,
      log: logs.logger,
      notify: openServiceNotify(process.env, process.pid, { clock: systemClock, log: logs.logger }),
      journal: journal.write,
      journalWritten: () => journal.written(),
      engineLog: (lineLevel, text) => logs.engineLine(lineLevel, text),
      onShutdown: () => ending.abort(),
    })
    report({ kind: 'listening' })
    await aborted(ending.signal)
    await daemon.stop()
  } finally {
    off()
  }
}

function tellStart({ past, write }: Journal, version: string): void {
  const killed = past.endedCleanly === false
  const before = killed
    ? '; the one before it ended without a word: it was killed, or the machine lost power'
    : ''
  write({
    kind: 'daemon-started',
    message: `The daemon started${before}`,
    facts: { version, pid: process.pid, afterKill: killed },
  })
}

async function readConfig(args: StartArguments, paths: Paths): Promise<Config> {
  const loaded = await load(args, paths)
  if (loaded.kind === 'invalid') throw configError(loaded.problems)
  return loaded.config
}

function load(args: StartArguments, paths: Paths): Promise<LoadedConfig> {
  return loadConfig({
    file: args.configFile ?? paths.configFile,
    fileRequired: args.configFile !== null,
    env: process.env,
    flags: args.flags,
    readFile: (file) => readFile(file, 'utf8'),
    cwd: args.cwd,
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done()
    else signal.addEventListener('abort', () => done(), { once: true })
  })
}

/** Tells whoever started us in the background, once, and lets go of the channel. */
function report(message: DaemonReport): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, () => process.disconnect())
}
