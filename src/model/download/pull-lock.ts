/** Lets one process at a time download one file. */
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { errnoOf, fileError, Oss20bdError } from '../../errors.ts'
import { isSameProcess, readProcessIdentity } from '../../process-identity.ts'

/**
 * Holds `<path>.lock`. Throws `already-running` while another process holds it; one that died holds
 * nothing. Two that take over a dead one's lock in the same instant may both succeed: then both write
 * the same bytes, and the checksum has the last word.
 */
export async function lockPart(path: string): Promise<AsyncDisposable> {
  const lock = `${path}.lock`
  const draft = `${lock}.${randomUUID()}`
  try {
    const identity = await readProcessIdentity(process.pid)
    await writeFile(draft, JSON.stringify({ pid: process.pid, identity }))
    if (!(await tryLink(draft, lock))) {
      const pid = await holderOf(lock)
      if (pid !== null) throw takenBy(path, pid)
      await rename(draft, lock)
    }
  } catch (error) {
    throw error instanceof Oss20bdError ? error : fileError('lock the download', lock, error)
  } finally {
    await rm(draft, { force: true }).catch(() => undefined)
  }
  return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** The pid of the live process that holds the lock; null when there is none. */
async function holderOf(lock: string): Promise<number | null> {
  const text = await readFile(lock, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  })
  const holder = parseHolder(text)
  return holder !== null && (await isSameProcess(holder)) ? holder.pid : null
}

function parseHolder(text: string): { pid: number; identity: string } | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    if (!('pid' in value) || !('identity' in value)) return null
    const { pid, identity } = value
    return typeof pid === 'number' && typeof identity === 'string' ? { pid, identity } : null
  } catch {
    return null
  }
}

function takenBy(path: string, pid: number): Oss20bdError {
  return new Oss20bdError(
    'already-running',
    `Cannot download the model: process ${pid} is downloading it already (${path})`,
    { hint: 'Wait until it is done: the file is then there for this command, too' },
  )
}
