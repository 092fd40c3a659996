/** Lets one daemon run per state folder. */
import { createHash, randomUUID } from 'node:crypto'
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf, fileError, Oss20bdError } from '../errors.ts'
import { isSameProcess, readProcessIdentity, type RecordedProcess } from '../process-identity.ts'

export interface InstanceLock {
  /** Lets go. Further calls do nothing. */
  release(): Promise<void>
}

/**
 * Takes the lock file at `path`, also from a daemon that died without letting go. Throws
 * `already-running` while its owner lives, `state-folder` or `disk-full` when it cannot be written.
 *
 * A stale lock must not be deleted and made anew: of two starters that both saw it, the slower would
 * delete the fresh lock of the faster. Nor moved aside and looked at: while it is put back, a third
 * starter finds no lock. Instead each lock has at most one heir, the one process that could make the
 * link `<path>.heir-<hash of that lock>`. The heir then moves its link onto `path` in one step.
 */
export async function acquireInstanceLock(path: string): Promise<InstanceLock> {
  const mine = await describeMyself()
  const draft = `${path}.draft-${randomUUID()}`
  try {
    await acquire(path, draft, mine)
    await sweep(path)
  } catch (error) {
    throw error instanceof Oss20bdError ? error : fileError('take the instance lock', path, error)
  } finally {
    await rm(draft, { force: true }).catch(() => undefined)
  }
  return { release: () => release(path, mine) }
}

async function acquire(path: string, draft: string, mine: string): Promise<void> {
  // Each further attempt means that another starter changed something, so a handful is a crowd.
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await tryAcquire(path, draft, mine)) return
  }
  throw new Oss20bdError(
    'state-folder',
    `Cannot take the instance lock: ${path} is neither there nor can it be made`,
    { hint: `Remove ${path}` },
  )
}

async function describeMyself(): Promise<string> {
  const { pid } = process
  const identity = await readProcessIdentity(pid)
  return `${JSON.stringify({ pid, identity, token: randomUUID() })}\n`
}

/** False = what was seen has changed meanwhile. */
async function tryAcquire(path: string, draft: string, mine: string): Promise<boolean> {
  await writeFile(draft, mine, { mode: 0o600 })
  const seen = await readIfThere(path)
  if (seen === null) return tryLink(draft, path)
  const last = await lastHeir(path, seen)
  const owner = parseOwner(last)
  const alive = owner !== null && (await isSameProcess(owner))
  if (alive) {
    if ((await readIfThere(path)) !== seen) return false
    throw alreadyRunning(owner.pid)
  }
  const heir = heirPath(path, last)
  if (!(await tryLink(draft, heir))) return false
  // An owner clears away old heirs only after `path` has changed: unchanged, this is the only heir.
  if ((await readIfThere(path)) !== seen) {
    await rm(heir, { force: true })
    return false
  }
  await rename(heir, path)
  return true
}

/** The end of the line of heirs: longer than one only when an heir died before it moved in. */
async function lastHeir(path: string, lock: string): Promise<string> {
  const heir = await readIfThere(heirPath(path, lock))
  return heir === null ? lock : lastHeir(path, heir)
}

function heirPath(path: string, lock: string): string {
  return `${path}.heir-${createHash('sha256').update(lock).digest('hex').slice(0, 32)}`
}

/** False when `to` is there already, or when a new owner swept the draft away. */
async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** null for anything that no daemon has written whole: it protects nobody. */
function parseOwner(lock: string): RecordedProcess | null {
  try {
    const value: unknown = JSON.parse(lock)
    if (typeof value !== 'object' || value === null) return null
    if (!('pid' in value) || !('identity' in value)) return null
    const { pid, identity } = value
    return typeof pid === 'number' && typeof identity === 'string' ? { pid, identity } : null
  } catch {
    return null
  }
}

function alreadyRunning(pid: number): Oss20bdError {
  return new Oss20bdError(
    'already-running',
    `Cannot start oss20bd: it runs already as pid ${pid}, one daemon per state folder is possible`,
    { hint: '`oss20bd status` shows it, `oss20bd stop` ends it' },
  )
}

/** Removes what starters that died on the way have left. */
async function sweep(path: string): Promise<void> {
  const folder = dirname(path)
  const left = (await readdir(folder)).filter((name) =>
    ['.heir-', '.draft-'].some((kind) => name.startsWith(`${basename(path)}${kind}`)),
  )
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })))
}

async function release(path: string, mine: string): Promise<void> {
  if ((await readIfThere(path).catch(() => null)) === mine) await rm(path, { force: true })
}
