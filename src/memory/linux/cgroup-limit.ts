/** How much memory the control groups of this process leave to it. */
import { errnoOf, messageOf } from '../../errors.ts'
import { type Answer, known, unknown } from '../answer.ts'
import { wholeNumber } from '../lines.ts'
import { type CgroupFolder, cgroupFolders } from './cgroup-folders.ts'

/** Infinity for both where no group has a limit. */
export interface CgroupRoom {
  readonly limitBytes: number
  /** Below the limit; pages of files that nobody has used lately count as free. */
  readonly availableBytes: number
}

/** Rejects as `readFile` does. */
export type ReadText = (path: string) => Promise<string>

const unlimited: CgroupRoom = { limitBytes: Infinity, availableBytes: Infinity }

/** Rejects when it may not look; a kernel without control groups has none. */
export async function findCgroups(readText: ReadText): Promise<CgroupFolder[]> {
  const [groups, mounts] = await Promise.all([
    textOrNothing('/proc/self/cgroup', readText),
    textOrNothing('/proc/self/mountinfo', readText),
  ])
  return cgroupFolders(groups, mounts)
}

/** The least of all `folders`: those above count as well. Never rejects. */
export async function readCgroupRoom(
  folders: readonly CgroupFolder[],
  readText: ReadText,
): Promise<Answer<CgroupRoom>> {
  try {
    const rooms = await Promise.all(folders.map((folder) => readRoom(folder, readText)))
    return rooms.reduce(lower, known(unlimited))
  } catch (error) {
    return unknown(messageOf(error))
  }
}

async function readRoom(
  { version, path }: CgroupFolder,
  readText: ReadText,
): Promise<Answer<CgroupRoom>> {
  const names = files[version]
  const limits = await Promise.all(
    names.limits.map((name) => textOrNothing(`${path}/${name}`, readText)),
  )
  const limitBytes = parseLimit(limits)
  if (limitBytes === Infinity) return known(unlimited)
  const [usage, stat] = await Promise.all([
    textOrNothing(`${path}/${names.usage}`, readText),
    textOrNothing(`${path}/memory.stat`, readText),
  ])
  const room = roomBelow(limitBytes, usage, parseCounter(stat, names.idleFilePages) ?? 0)
  return room ?? unknown(`${path}/${names.usage} does not tell what is in use`)
}

const files = {
  1: {
    limits: ['memory.limit_in_bytes'],
    usage: 'memory.usage_in_bytes',
    idleFilePages: 'total_inactive_file',
  },
  // Above `high` nothing is killed, but everything is slowed down until it fits.
  2: {
    limits: ['memory.max', 'memory.high'],
    usage: 'memory.current',
    idleFilePages: 'inactive_file',
  },
} as const

/** The least of them. `max`, no file (the root) and more than any machine has are no limit. Pure. */
export function parseLimit(texts: readonly string[]): number {
  return Math.min(...texts.map((text) => wholeNumber(text.trim()) ?? Infinity), Infinity)
}

/** One counter of `memory.stat`. Pure. */
export function parseCounter(stat: string, name: string): number | null {
  return wholeNumber(new RegExp(`^${name} (\\d+)\\n`, 'm').exec(stat)?.[1])
}

/** null when `usage` is no number. Pure. */
function roomBelow(
  limitBytes: number,
  usage: string,
  idleFileBytes: number,
): Answer<CgroupRoom> | null {
  const usedBytes = wholeNumber(usage.trim())
  if (usedBytes === null) return null
  const held = Math.max(0, usedBytes - idleFileBytes)
  return known({ limitBytes, availableBytes: Math.max(0, limitBytes - held) })
}

function lower(one: Answer<CgroupRoom>, other: Answer<CgroupRoom>): Answer<CgroupRoom> {
  if (one.kind === 'unknown') return one
  if (other.kind === 'unknown') return other
  return known({
    limitBytes: Math.min(one.value.limitBytes, other.value.limitBytes),
    availableBytes: Math.min(one.value.availableBytes, other.value.availableBytes),
  })
}

/** Empty for a file that is not there. */
async function textOrNothing(path: string, readText: ReadText): Promise<string> {
  try {
    return await readText(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
}
