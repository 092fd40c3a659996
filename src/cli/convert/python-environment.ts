/** The private Python environment of the converter: made when it is first needed, of the packages that upstream asks for. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { runLongTool, toolEnvironment, type ToolEnd } from './long-tool.ts'
import { isMade, makeFolder } from './made-folder.ts'
import type { Python } from './python.ts'

export interface PythonEnvironment {
  readonly folder: string
  /** To run things with. */
  readonly file: string
  /** It is there already. */
  readonly isReady: boolean
}

/**
 * Of a whole environment while it is made, downloads and all. macOS: PyTorch without CUDA. Linux: where only
 * PyTorch with CUDA can be had, 2.5 GiB of downloads and 4.9 GiB installed were measured; without CUDA it is a quarter.
 */
export function environmentBytes(platform: NodeJS.Platform): number {
  return (platform === 'darwin' ? 2 : 8) * 2 ** 30
}

export interface EnvironmentPlace {
  /** Where converters and environments are kept. */
  readonly folder: string
  readonly python: Python
  /** Upstream's file of requirements. */
  readonly requirements: string
}

/** Another converter or another Python gets another environment. */
export async function findEnvironment(place: EnvironmentPlace): Promise<PythonEnvironment> {
  const { folder, python, requirements } = place
  const hash = createHash('sha256').update(`${python.file} ${python.minor} ${process.arch}`)
  for (const text of await readRequirements(requirements)) hash.update(text)
  const own = join(folder, `python-${python.minor}-${hash.digest('hex').slice(0, 10)}`)
  return { folder: own, file: join(own, 'bin', 'python'), isReady: await isMade(own) }
}

/** The file and those that it takes in by `-r`. */
async function readRequirements(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8')
  const taken = [...text.matchAll(/^-r +(\S+)/gm)].map(([, name = '']) => join(dirname(file), name))
  const more = await Promise.all(taken.map((name) => readRequirements(name)))
  return [text, ...more.flat()]
}

export interface MakeOptions {
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  readonly onNote: (note: string) => void
}

/** Throws `tool-missing`, `download-failed`, `disk-full`. Nothing is left of an environment that is not whole. */
export async function makeEnvironment(
  { folder }: PythonEnvironment,
  { python, requirements }: EnvironmentPlace,
  { env, signal, onNote }: MakeOptions,
): Promise<void> {
  refuseIntelMac()
  await makeFolder(folder, async (temporary) => {
    const downloads = join(temporary, 'downloads')
    await mkdir(downloads)
    // Moved afterwards: Python finds itself by where it is, only the scripts in bin/ name the old place.
    const tool = {
      env: toolEnvironment(env, 'PIP_', { TMPDIR: downloads, PIP_NO_INPUT: '1' }),
      signal,
    }
    const venv = await runLongTool({
      ...tool,
      file: python.file,
      args: ['-E', '-s', '-m', 'venv', temporary],
      onLine: () => undefined,
    })
    if (venv.kind === 'failed') throw venvError(python, venv)
    const pip = await runLongTool({
      ...tool,
      file: join(temporary, 'bin', 'python'),
      args: ['-E', '-s', '-m', 'pip', 'install', ...PIP_OPTIONS, '-r', requirements],
      onLine: (line) => {
        const note = pipNote(line)
        if (note !== null) onNote(note)
      },
    })
    if (pip.kind === 'failed') throw pipError(pip)
    await rm(downloads, { recursive: true, force: true })
  })
}

/** Nothing is compiled, and what is downloaded is not kept a second time. */
const PIP_OPTIONS = [
  '--only-binary',
  ':all:',
  '--no-cache-dir',
  '--disable-pip-version-check',
  '--progress-bar',
  'off',
  '--retries',
  '1',
  '--timeout',
  '30',
]

/** `Downloading torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl (530.6 MB)`. Pure. */
export function pipNote(line: string): string | null {
  const [, wheel, size] = /^ *Downloading (\S+\.whl) \(([\d.]+ [kMG]?B)\)/.exec(line) ?? []
  if (wheel !== undefined && size !== undefined) {
    return `downloading ${basename(wheel).split('-', 2).join(' ')}, ${size}`
  }
  if (line.startsWith('Installing collected packages')) return 'unpacking the packages'
  return null
}

function refuseIntelMac(): void {
  if (process.platform !== 'darwin' || process.arch !== 'x64') return
  throw new Oss20bdError(
    'tool-missing',
    'Cannot convert: the converter needs PyTorch, which is not made for Macs with an Intel processor any more',
    { hint: 'Get the model as GGUF: oss20bd pull OWNER/REPO-GGUF' },
  )
}

type Failed = ToolEnd & { readonly kind: 'failed' }

function venvError(python: Python, { how, lastLines }: Failed): Oss20bdError {
  return new Oss20bdError(
    'tool-missing',
    `Cannot convert: ${python.file} could not make an environment: ${lastLines.at(-1)?.trim() ?? how}`,
    {
      hint:
        process.platform === 'darwin'
          ? `brew reinstall python@${python.minor}`
          : 'apt-get install --reinstall python3-venv',
    },
  )
}

function pipError({ how, lastLines }: Failed): Oss20bdError {
  const errors = lastLines.filter((line) => /ERROR: |Errno/.test(line))
  const said = (errors.at(-1) ?? lastLines.at(-1) ?? how).replace(/^.*ERROR: /, '').trim()
  if (errors.some((line) => line.includes('No space left on device'))) {
    return new Oss20bdError(
      'disk-full',
      'Cannot get the packages of the converter: the disk of the cache is full',
      { hint: 'Free some space, then run the same command again' },
    )
  }
  return new Oss20bdError('download-failed', `Cannot get the packages of the converter: ${said}`, {
    hint: 'The package index of pip must be reachable; then run the same command again',
  })
}
