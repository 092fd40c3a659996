/** Copies this package with the libraries that it needs, so that the service runs what nobody else changes. */
import { createHash, randomUUID } from 'node:crypto'
import { constants, cpSync } from 'node:fs'
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileError } from '../errors.ts'
import { giveTo } from './step-files.ts'
import type { Step } from './step.ts'

/** Half of the files of the libraries are for compilers and readers. */
const notRun = /\.(?:[cm]?ts|map|md)$/

type Copy = Extract<Step, { kind: 'copy-program' }>

/** Copied beside and moved in, so that a folder of that name is always whole. Throws `state-folder`, `disk-full`. */
export async function copyProgram({ from, to, owner }: Copy): Promise<void> {
  const draft = join(dirname(to), `.draft-${randomUUID()}`)
  try {
    if (await isThere(to)) return
    for (const part of await partsOf(from)) {
      copyPart(part, draft)
      // Whoever shows progress gets a turn.
      await nextTurn()
    }
    await giveAllTo(owner, draft)
    await rename(draft, to)
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => undefined)
    throw fileError('copy the program', to, error)
  }
}

/** Not asynchronously: with thousands of small files that takes four times as long. */
function copyPart(part: Part, folder: string): void {
  cpSync(part.from, join(folder, part.to), {
    recursive: true,
    // On a Mac's own file system such a copy takes no space.
    mode: constants.COPYFILE_FICLONE,
    filter: (path) => !isNested(part.from, path) && !notRun.test(path),
  })
}

/** Libraries within libraries are parts of their own. */
function isNested(root: string, path: string): boolean {
  return relative(root, path).split(sep).includes('node_modules')
}

/** The name of what `copyProgram` would copy: the version and a hash of the files and of the libraries' versions. */
export async function programName(root: string): Promise<string> {
  const hash = createHash('sha256')
  for (const part of await partsOf(root)) {
    const files = part.library === null ? await filesIn(part.from) : []
    hash.update(`${part.to} ${part.library ?? ''}\n`)
    for (const file of files) hash.update(await readFile(file)).update('\0')
  }
  const { version } = await readManifest(root)
  return `${version}-${hash.digest('hex').slice(0, 12)}`
}

async function filesIn(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}

interface Part {
  readonly from: string
  /** Within the copy. */
  readonly to: string
  /** The version, if it is a library. */
  readonly library: string | null
}

/** What is published of the package, and each library that it loads. */
async function partsOf(root: string): Promise<readonly Part[]> {
  const manifest = await readManifest(root)
  const own: Part[] = []
  for (const name of ['package.json', ...manifest.files]) {
    const from = join(root, name)
    if (await isThere(from)) own.push({ from, to: name, library: null })
  }
  return [...own, ...(await librariesOf(root, manifest))]
}

async function librariesOf(root: string, manifest: Manifest): Promise<readonly Part[]> {
  const found = new Map<string, Part>()
  const open = [{ folder: root, names: manifest.dependencies }]
  for (const { folder, names } of open) {
    for (const name of names) {
      const place = await findLibrary(folder, name)
      // An optional one for another system is not there.
      if (place === null || found.has(place)) continue
      const { version, dependencies } = await readManifest(place)
      found.set(place, { from: place, to: placeInCopy(root, place), library: version })
      open.push({ folder: place, names: dependencies })
    }
  }
  return [...found.values()].toSorted((a, b) => (a.to < b.to ? -1 : 1))
}

/** As Node looks for it: in this folder's node_modules, then in each folder's above. */
async function findLibrary(folder: string, name: string): Promise<string | null> {
  const place = join(folder, 'node_modules', name)
  if (await isThere(join(place, 'package.json'))) return place
  const above = dirname(folder)
  return above === folder ? null : findLibrary(above, name)
}

/** A library above our own folder, as in another project, is found from node_modules of the copy as well. */
function placeInCopy(root: string, place: string): string {
  const within = relative(root, place)
  if (!within.startsWith('..')) return within
  const segments = place.split(sep)
  // A checkout in a workspace has its libraries above it without being within a node_modules itself.
  const from = Math.max(0, root.split(sep).indexOf('node_modules'))
  return segments.slice(segments.indexOf('node_modules', from)).join(sep)
}

interface Manifest {
  readonly version: string
  readonly files: readonly string[]
  readonly dependencies: readonly string[]
}

async function readManifest(folder: string): Promise<Manifest> {
  const value: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const record = isRecord(value) ? value : {}
  const { version, files, dependencies, optionalDependencies } = record
  return {
    version: typeof version === 'string' ? version : '0',
    files: Array.isArray(files) ? files.filter((one) => typeof one === 'string') : [],
    dependencies: [...namesIn(dependencies), ...namesIn(optionalDependencies)],
  }
}

function namesIn(value: unknown): readonly string[] {
  return isRecord(value) ? Object.keys(value) : []
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function giveAllTo(owner: Copy['owner'], folder: string): Promise<void> {
  if (owner === null) return
  await giveTo(owner, folder)
  for (const entry of await readdir(folder, { recursive: true }))
    await giveTo(owner, join(folder, entry))
}
