/** Bounds the files that others opened for us: launchd's, and the one of `oss20bd start`. */
import { copyFile, stat, truncate } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { errnoOf, messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { logFile, PRINTED } from '../log-files.ts'

export interface ServiceOutputOptions {
  readonly folder: string
  /** A longer file is emptied; what was in it is kept in one older file. */
  readonly maxBytes?: number
  readonly everyMs?: number
  readonly clock: Pick<Clock, 'sleep'>
  readonly log: Pick<Logger, 'info' | 'warn'>
}

const MAX_BYTES = 1_048_576
/** Only Node and the shim write there, and only what is unusual. */
const EVERY_MS = 60_000

/** Looks now and every minute, until `signal` aborts. Never rejects. */
export async function boundServiceOutput(
  options: ServiceOutputOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, everyMs = EVERY_MS } = options
  const inTrouble = new Set<string>()
  do {
    for (const name of Object.values(PRINTED)) await boundFile(name, options, inTrouble)
  } while (await passed(clock.sleep(everyMs, signal)))
}

/**
 * Emptied in place, not renamed: whoever writes has it open, and would go on in the renamed one. They
 * all append, so what comes next begins at the beginning.
 */
async function boundFile(
  name: string,
  { folder, maxBytes = MAX_BYTES, log }: ServiceOutputOptions,
  inTrouble: Set<string>,
): Promise<void> {
  const file = logFile(folder, name)
  try {
    const { size } = await stat(file)
    if (size <= maxBytes) return
    await keepOld(file, logFile(folder, name, 1))
    await truncate(file)
    log.info('emptied a file of printed output', { file, bytes: size })
    inTrouble.delete(name)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || inTrouble.has(name)) return
    inTrouble.add(name)
    log.warn('cannot bound a file of printed output', { file, reason: messageOf(error) })
  }
}

/** Without the space for it, the bound matters more than what was printed. */
async function keepOld(file: string, older: string): Promise<void> {
  try {
    await copyFile(file, older)
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC' && errnoOf(error) !== 'EDQUOT') throw error
    await truncate(older).catch(() => undefined)
  }
}

/** False when the wait was aborted, the only way in which it fails. */
async function passed(wait: Promise<void>): Promise<boolean> {
  return wait.then(
    () => true,
    () => false,
  )
}
