/**
 * The tokens that let apps in, on the disk: one small file for each, in one folder, so that a token is added by
 * linking a whole file into place and revoked by removing it. Two writers then need no lock and lose nothing.
 * A token is 256 random bits: nobody can try them all, so plain SHA-256 keeps it as safe as a slow hash would.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf, fileError, messageOf, Oss20bdError } from './errors.ts'

export interface TokenEntry {
  readonly name: string
  /** SHA-256 of the token, 32 bytes. */
  readonly digest: Buffer
  /** ISO 8601, UTC. */
  readonly createdAt: string
}

/** Where the tokens lie, within `Paths.home`. */
export const TOKENS = 'tokens'

/** The longest name has 40 characters; case does not tell two names apart, for it does not on every disk. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,39}$/i
const ENDING = '.json'
const TOKEN_BYTES = 32
const TOKEN_PREFIX = 'o20-'
const DIGEST = /^[0-9a-f]{64}$/

/** The name as it is. Throws `usage`. */
function checkTokenName(name: string): string {
  if (NAME.test(name)) return name
  throw new Oss20bdError(
    'usage',
    `Cannot use the name ${JSON.stringify(name)}: it must be 1 to 40 letters, digits and . _ - (a letter or digit first)`,
    { hint: 'Name it after the app that will use it, for example: oss20bd token add open-webui' },
  )
}

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Every token, by name; none when the folder is not there. Throws `state-folder` for anything that cannot be
 * read as a token: who is let in must never be guessed. At once, so that a request need not wait.
 */
export function readTokens(folder: string): readonly TokenEntry[] {
  return namesIn(folder)
    .map((file) => readEntry(join(folder, file)))
    .filter((entry) => entry !== null)
    .toSorted((one, other) => one.name.localeCompare(other.name, 'en'))
}

/** Makes a token and keeps its digest. The token is not kept anywhere. Throws `usage` when the name is taken. */
export async function addToken(folder: string, name: string, nowMs: number): Promise<string> {
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url')
  const file = fileOf(folder, checkTokenName(name))
  // No token's file ends like this, so nobody reads it before it is whole.
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeDurably(draft, entryText(name, token, nowMs))
    if (!(await linkNew(draft, file))) throw taken(name)
  } catch (error) {
    throw error instanceof Oss20bdError ? error : fileError('keep the token', file, error)
  } finally {
    // A draft that stays is read by nobody.
    await rm(draft, { force: true }).catch(() => undefined)
  }
  return token
}

/** false when the name is taken: unlike a rename it never replaces. */
async function linkNew(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Throws `usage` when there is no such token. A file that cannot be read goes too: that mends the folder. */
export async function revokeToken(folder: string, name: string): Promise<void> {
  const file = fileOf(folder, checkTokenName(name))
  try {
    await rm(file)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError('revoke the token', file, error)
    throw new Oss20bdError('usage', `Cannot revoke the token ${name}: there is none of this name`, {
      hint: 'See which there are: oss20bd token list',
    })
  }
}

function fileOf(folder: string, name: string): string {
  return join(folder, name.toLowerCase() + ENDING)
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith(ENDING))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw fileError('read the tokens', folder, error)
  }
}

/** null when it was revoked this very moment. */
function readEntry(file: string): TokenEntry | null {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw unreadable(file, messageOf(error))
  }
  const entry = entryOf(parsed(text))
  // A file under another name could not be revoked by the name that the list shows.
  if (entry !== null && basename(file) === entry.name.toLowerCase() + ENDING) return entry
  throw unreadable(file, 'it is none that oss20bd wrote')
}

/** undefined when it is no JSON. What it says instead is not told: it may be a token. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function entryOf(value: unknown): TokenEntry | null {
  if (typeof value !== 'object' || value === null) return null
  if (!('name' in value && 'sha256' in value && 'createdAt' in value)) return null
  const { name, sha256, createdAt } = value
  if (typeof name !== 'string' || !NAME.test(name)) return null
  if (typeof sha256 !== 'string' || !DIGEST.test(sha256)) return null
  if (typeof createdAt !== 'string' || Number.isNaN(Date.parse(createdAt))) return null
  return { name, digest: Buffer.from(sha256, 'hex'), createdAt }
}

function entryText(name: string, token: string, nowMs: number): string {
  const sha256 = digestOf(token).toString('hex')
  return `${JSON.stringify({ name, sha256, createdAt: new Date(nowMs).toISOString() })}\n`
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function taken(name: string): Oss20bdError {
  return new Oss20bdError('usage', `Cannot add the token ${name}: there is one of this name`, {
    hint: `Take another name, or first: oss20bd token revoke ${name}`,
  })
}

function unreadable(file: string, reason: string): Oss20bdError {
  return new Oss20bdError('state-folder', `Cannot read the token in ${file}: ${reason}`, {
    hint: 'Revoke it (oss20bd token revoke NAME) or remove the file, and add a new one',
  })
}
