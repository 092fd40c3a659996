/** Starts a daemon that outlives this process and waits for its one report. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DaemonReport } from '../daemon/control-protocol.ts'
import { fileError, messageOf, Oss20bdError } from '../errors.ts'
import type { Context } from './command.ts'
import { errorCodeOf } from './exit-status.ts'
import { field } from './json.ts'

/** The daemon logs to its own files; this one is for what Node itself prints, so it stays small. */
const MAX_OUT_BYTES = 1_048_576
const REPORT_TIMEOUT_MS = 60_000

/**
 * 36 MB less of the Mac's memory for a proxy that keeps nothing: young garbage is collected after 2 MB, not 16 (30 MB),
 * by one thread beside ours, not four (6 MB; requests are no slower for it). As in launchd/oss20bd.
 */
const NODE_FLAGS = ['--max-semi-space-size=2', '--v8-pool-size=1']

/** Resolves when the daemon listens. Throws what it reports, or what it printed when it died without a report. */
export async function spawnDaemon(context: Context): Promise<void> {
  const outFile = join(context.paths.logs, 'daemon.out')
  const out = await openOut(context.paths.logs, outFile)
  try {
    const { size } = await out.stat()
    const child = spawn(process.execPath, [...NODE_FLAGS, ...daemonArgs(context)], {
      // Its own session: closing this terminal or pressing Ctrl-C here does not reach it.
      detached: true,
      stdio: ['ignore', out.fd, out.fd, 'ipc'],
      env: context.env,
    })
    await settle(child, await firstReport(child), outFile, size)
  } finally {
    await out.close()
  }
}

function daemonArgs({ root, configFile, flags }: Context): string[] {
  return [
    join(root, 'bin', 'oss20bd'),
    'daemon',
    '--background',
    ...(configFile === null ? [] : ['--config', configFile]),
    ...Object.entries(flags).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ]
}

async function openOut(folder: string, file: string): ReturnType<typeof open> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    )
    return await open(file, size > MAX_OUT_BYTES ? 'w' : 'a', 0o600)
  } catch (error) {
    throw fileError('start the daemon', file, error)
  }
}

/** The report, or null when the daemon ended or said nothing in time. */
async function firstReport(child: ChildProcess): Promise<DaemonReport | null> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(REPORT_TIMEOUT_MS)])
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]: unknown[]) => asReport(message)),
      // 'close' and not 'exit': a report that was sent just before the end is still delivered first.
      once(child, 'close', { signal }).then(() => null),
    ])
  } catch (error) {
    if (signal.aborted) return null
    throw new Oss20bdError('engine-failed', `Cannot start the daemon: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    over.abort()
  }
}

function asReport(message: unknown): DaemonReport | null {
  if (field(message, 'kind') === 'listening') return { kind: 'listening' }
  const [code, text, hint] = ['code', 'message', 'hint'].map((name) => field(message, name))
  if (typeof code !== 'string' || typeof text !== 'string') return null
  return { kind: 'failed', code, message: text, hint: typeof hint === 'string' ? hint : null }
}

async function settle(
  child: ChildProcess,
  report: DaemonReport | null,
  outFile: string,
  outStart: number,
): Promise<void> {
  if (child.connected) child.disconnect()
  child.unref()
  if (report?.kind === 'listening') return
  if (report?.kind === 'failed') {
    const { code, message, hint } = report
    throw new Oss20bdError(errorCodeOf(code), message, hint === null ? {} : { hint })
  }
  const ended = child.exitCode !== null || child.signalCode !== null
  if (!ended) child.kill('SIGTERM')
  const how = ended
    ? `it ended with ${child.signalCode ?? `status ${child.exitCode}`}`
    : `it was not ready within ${REPORT_TIMEOUT_MS / 1000} s`
  throw new Oss20bdError('engine-failed', `Cannot start the daemon: ${how}`, {
    hint: `${await lastWords(outFile, outStart)}See ${outFile}, or run it in the foreground: oss20bd daemon`,
  })
}

/** The last line this daemon printed, for the hint. */
async function lastWords(file: string, start: number): Promise<string> {
  const text = await readFile(file).then(
    (bytes) => bytes.subarray(start).toString('utf8').trim(),
    () => '',
  )
  const last = text.split('\n').findLast((line) => line.trim() !== '')
  return last === undefined ? '' : `It said: ${last.trim().slice(0, 300)}. `
}
