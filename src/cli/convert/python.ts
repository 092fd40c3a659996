/** Finds a Python that upstream's converter can run on. */
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { systemClock } from '../../clock.ts'
import { Oss20bdError } from '../../errors.ts'
import { createToolRunner } from '../../run-tool.ts'
import { toolEnvironment } from './long-tool.ts'

export interface Python {
  readonly file: string
  /** `3.11` */
  readonly minor: string
}

export interface PythonFound {
  readonly file: string
  readonly major: number
  readonly minor: number
  /** It can make an environment of its own; Debian ships that as a package by itself. */
  readonly hasVenv: boolean
}

/**
 * What the packages that the converter asks for are made for: PyTorch 2.11 from 3.10 on, NumPy 2.2 up to 3.13.
 * The newest that fits comes first.
 */
const OLDEST_MINOR = 10
const NEWEST_MINOR = 13
const NAMES = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3']
/** Where Homebrew puts them, for a service and a window that has another PATH. */
const BREW_FOLDERS = ['/opt/homebrew/bin', '/usr/local/bin']
/** On a Mac without the Command Line Tools those of /usr/bin only open a dialog; with them they are 3.9. */
const APPLE_FOLDER = '/usr/bin'
const DEADLINE_MS = 20_000

/** Throws `tool-missing` with the command that gets one. */
export async function findPython(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Promise<Python> {
  const found: PythonFound[] = []
  for (const file of await candidates(env, platform)) {
    const python = await askPython(file, env)
    if (python !== null) found.push(python)
    if (python !== null && fits(python)) break
  }
  return choosePython(found, platform)
}

/** The first that fits. Pure. */
export function choosePython(found: readonly PythonFound[], platform: NodeJS.Platform): Python {
  const right = found.find(fits)
  if (right !== undefined) return { file: right.file, minor: `3.${right.minor}` }
  const there = found.map((python) => describe(python))
  const have = there.length === 0 ? 'there is none' : `there is ${there.join(', ')}`
  throw new Oss20bdError(
    'tool-missing',
    `Cannot convert: Python 3.${OLDEST_MINOR} to 3.${NEWEST_MINOR} is needed, ${have}`,
    { hint: hintFor(found, platform) },
  )
}

function hintFor(found: readonly PythonFound[], platform: NodeJS.Platform): string {
  if (platform === 'darwin') return `brew install python@3.${NEWEST_MINOR}`
  const onlyVenv = found.some((python) => isRightVersion(python) && !python.hasVenv)
  return onlyVenv ? 'apt-get install python3-venv' : 'apt-get install python3 python3-venv'
}

function describe({ file, major, minor, hasVenv }: PythonFound): string {
  const version = `${major}.${minor}`
  return hasVenv ? `${version} (${file})` : `${version} (${file}) without venv`
}

function isRightVersion({ major, minor }: PythonFound): boolean {
  return major === 3 && minor >= OLDEST_MINOR && minor <= NEWEST_MINOR
}

function fits(python: PythonFound): boolean {
  return isRightVersion(python) && python.hasVenv
}

async function candidates(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): Promise<readonly string[]> {
  const onPath = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const isDarwin = platform === 'darwin'
  const folders = isDarwin
    ? [...onPath.filter((folder) => folder !== APPLE_FOLDER), ...BREW_FOLDERS]
    : onPath
  const all = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  const there = await Promise.all(all.map((file) => isExecutable(file)))
  return [...new Set(all.filter((_file, index) => there[index] === true))]
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

const QUESTION = `
import sys
try:
    import ensurepip, venv
    able = "venv"
except ImportError:
    able = "bare"
print("python", sys.version_info[0], sys.version_info[1], able)
`

async function askPython(file: string, env: NodeJS.ProcessEnv): Promise<PythonFound | null> {
  const runTool = createToolRunner({ clock: systemClock, environment: toolEnvironment(env, null) })
  const answer = await runTool(file, ['-E', '-s', '-c', QUESTION], { deadlineMs: DEADLINE_MS })
  if (answer.kind === 'failed') return null
  const [, major, minor, able] = /^python (\d+) (\d+) (\w+)$/m.exec(answer.stdout) ?? []
  if (major === undefined || minor === undefined) return null
  return { file, major: Number(major), minor: Number(minor), hasVenv: able === 'venv' }
}
