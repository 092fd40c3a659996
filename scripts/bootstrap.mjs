/** Makes a checkout ready to run: Node checked, dependencies installed, TypeScript compiled; at once when it is. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runWatched } from './child.mjs'
import { createProgress } from './progress.mjs'

/** The folder of this checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const NODE_MINIMUM = [20, 19]
const LOCK_POLL_MS = 200
const at = (...parts) => path.join(root, ...parts)
const modulesStamp = at('node_modules', '.oss20bd-stamp')
const distStamp = at('dist', '.stamp')

/** Stops the scripts with one line and, below it, what the failed command said. */
class BootstrapError extends Error {
  constructor(message, said = []) {
    super(message)
    this.said = said
  }
}

/**
 * Makes the checkout ready. Prints nothing and takes milliseconds when it already is; ends the
 * process with one clear line when it cannot be.
 * @param {{ steps?: number }} options how many steps the whole script shows, these two being the first
 */
export async function prepare({ steps = 2 } = {}) {
  await orExplain(async () => {
    checkNode(process.versions.node)
    if (modulesAreCurrent() && distIsCurrent()) return
    await withLock(async () => {
      if (!modulesAreCurrent()) await installModules(steps)
      if (!distIsCurrent()) await compile(steps)
    })
  })
}

/** Runs a script's work; an expected failure ends the process with its line, never with a stack. */
export async function orExplain(work) {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error
    console.error([error.message, ...error.said.map((line) => `  | ${line}`)].join('\n'))
    process.exit(1)
  }
}

/** Runs a long command with a progress line; throws what `orExplain` explains when it fails. */
export async function runStep({ command, args, env, failure, onLine, progress }) {
  const result = await runWatched(command, args, { cwd: root, env, onLine }).catch((error) => {
    throw new BootstrapError(
      `${failure}: ${command} cannot be started (${error.code}), it must be on the PATH`,
    )
  })
  if (result.status !== 0) {
    progress()?.fail()
    throw new BootstrapError(`${failure}: it ended with status ${result.status}`, result.said)
  }
}

function checkNode(version) {
  const [major, minor] = version.split('.').map(Number)
  const [needMajor, needMinor] = NODE_MINIMUM
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return
  throw new BootstrapError(
    `Cannot run oss20bd: Node.js ${version} is running it, ${NODE_MINIMUM.join('.')} or newer is needed (https://nodejs.org)`,
  )
}

// ------------------------------------------------------------------------------------ dependencies

function modulesAreCurrent() {
  const wanted = lockHash()
  if (readOrNull(modulesStamp) === wanted) return true
  if (!installedByHand()) return false
  fs.writeFileSync(modulesStamp, wanted)
  return true
}

/** npm's own record, so that a plain `npm install` is not done again. */
function installedByHand() {
  const record = readOrNull(at('node_modules', '.package-lock.json'))
  if (record === null) return false
  const installed = JSON.parse(record).packages ?? {}
  return Object.entries(lockedPackages()).every(([place, locked]) =>
    installed[place] === undefined
      ? locked.optional === true || locked.peer === true
      : installed[place].version === locked.version &&
        installed[place].integrity === locked.integrity,
  )
}

/**
 * `npm install`, not `npm ci`: native packages for other systems may be missing from a lock file made
 * on this one, and `npm ci` refuses such a lock. The versions and checksums of the lock hold either way.
 */
async function installModules(steps) {
  const progress = createProgress({ step: 1, steps, title: 'Install dependencies' })
  const counter = fetchCounter(Object.values(lockedPackages()).filter(fitsThisMachine))
  const wanted = lockHash()
  fs.rmSync(modulesStamp, { force: true })
  await runStep({
    command: 'npm',
    args: [
      'install',
      '--no-save',
      '--include=dev',
      '--no-audit',
      '--no-fund',
      '--loglevel=http',
      '--progress=false',
    ],
    failure: 'Cannot install the dependencies',
    progress: () => progress,
    onLine: (line) => {
      if (!line.startsWith('npm http ')) return false
      progress.update(counter.after(line))
      return true
    },
  })
  fs.writeFileSync(modulesStamp, wanted)
  progress.done()
}

/** One archive for each package, and a page of metadata first where the lock does not name the archive. */
function fetchCounter(packages) {
  const pagesWanted = packages.filter((locked) => locked.resolved === undefined).length
  const pages = new Set()
  const archives = new Set()
  return {
    after(line) {
      const [, address] = /^npm http (?:fetch GET \d+|cache) (\S+)/.exec(line) ?? []
      if (address !== undefined) (address.includes('.tgz') ? archives : pages).add(address)
      const done = Math.min(pages.size, pagesWanted) + archives.size
      return done / Math.max(1, pagesWanted + packages.length)
    },
  }
}

function lockedPackages() {
  const { '': _root, ...packages } = JSON.parse(
    fs.readFileSync(at('package-lock.json'), 'utf8'),
  ).packages
  return packages
}

/** Whether npm would fetch the package here: most of the optional ones are for other systems. */
function fitsThisMachine({ os, cpu, libc }) {
  const fits = (allowed, own) =>
    allowed === undefined ||
    (allowed.some((name) => !name.startsWith('!'))
      ? allowed.includes(own)
      : !allowed.includes(`!${own}`))
  return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, systemLibc())
}

function systemLibc() {
  if (process.platform !== 'linux') return undefined
  process.report.excludeNetwork = true // the report would look up the name of every open connection
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

function lockHash() {
  return hashOf([at('package-lock.json')], `${process.platform} ${process.arch} `)
}

// -------------------------------------------------------------------------------------- TypeScript

function distIsCurrent() {
  return readOrNull(distStamp) === sourceHash()
}

/** Compiled beside and swapped in, so that a running CLI never sees half of it. */
async function compile(steps) {
  const progress = createProgress({ step: 2, steps, title: 'Compile TypeScript' })
  const fresh = at('node_modules', '.oss20bd-dist')
  const old = at('node_modules', '.oss20bd-dist-old')
  const hash = sourceHash()
  fs.rmSync(fresh, { recursive: true, force: true })
  const step = { command: process.execPath, progress: () => progress, onLine: () => false }
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc')
  const page = path.join(fresh, 'dashboard')
  await Promise.all([
    runStep({
      ...step,
      args: [tsc, '-p', 'tsconfig.build.json', '--noEmitOnError', '--outDir', fresh],
      failure: 'Cannot compile TypeScript',
    }),
    runStep({
      ...step,
      args: [at('scripts', 'build-dashboard.mjs'), page],
      failure: 'Cannot build the dashboard',
    }),
  ])
  fs.writeFileSync(path.join(fresh, '.stamp'), hash)
  fs.rmSync(old, { recursive: true, force: true })
  if (fs.existsSync(at('dist'))) fs.renameSync(at('dist'), old)
  fs.renameSync(fresh, at('dist'))
  fs.rmSync(old, { recursive: true, force: true })
  progress.done()
}

function sourceHash() {
  const sources = ['src', 'dashboard']
    .flatMap((folder) => fs.readdirSync(at(folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted()
  return hashOf([
    ...sources,
    at('scripts', 'build-dashboard.mjs'),
    at('tsconfig.json'),
    at('tsconfig.build.json'),
    at('package-lock.json'),
  ])
}

// ------------------------------------------------------------------------------------------ helpers

/** `npm stop` during an `npm start` must not run a second `npm ci` over the first. */
async function withLock(work) {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16)
  const lock = path.join(tmpdir(), `oss20bd-prepare-${name}.lock`)
  while (!tookLock(lock)) {
    await new Promise((resolve) => {
      setTimeout(resolve, LOCK_POLL_MS)
    })
  }
  const release = () => fs.rmSync(lock, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    release()
    process.off('exit', release)
  }
}

function tookLock(lock) {
  try {
    fs.symlinkSync(String(process.pid), lock)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  const holder = linkOrNull(lock)
  if (holder !== null && !isAlive(Number(holder)) && linkOrNull(lock) === holder)
    fs.rmSync(lock, { force: true })
  return false
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function linkOrNull(link) {
  try {
    return fs.readlinkSync(link)
  } catch {
    return null
  }
}

function hashOf(files, salt = '') {
  const hash = createHash('sha256').update(salt)
  for (const file of files)
    hash
      .update(`${path.relative(root, file)}\0`)
      .update(fs.readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}

function readOrNull(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
