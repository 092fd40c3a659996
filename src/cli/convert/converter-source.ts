/** Upstream's converter, taken out of the sources that the engine was built from, at the same commit. */
import { cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import type { BuiltFrom } from './engine-folder.ts'
import { runLongTool, toolEnvironment } from './long-tool.ts'
import { isMade, makeFolder } from './made-folder.ts'

export interface Converter {
  readonly folder: string
  readonly script: string
  readonly requirements: string
}

/** What is taken; releases that have some of it in other places lack the rest. */
const PARTS: ReadonlySet<string> = new Set([
  'convert_hf_to_gguf.py',
  'conversion',
  'gguf-py',
  'requirements',
  'LICENSE',
])
const SCRIPT = 'convert_hf_to_gguf.py'

export interface Places {
  /** Where converters and environments are kept. */
  readonly folder: string
  /** Where scripts/build-llama.sh keeps the bundles that it got. */
  readonly sources: string
}

export function converterIn(
  { folder }: Pick<Places, 'folder'>,
  { commit }: Pick<BuiltFrom, 'commit'>,
): Converter {
  const own = join(folder, `converter-${commit.slice(0, 16)}`)
  const requirements = join(own, 'requirements', 'requirements-convert_hf_to_gguf.txt')
  return { folder: own, script: join(own, SCRIPT), requirements }
}

/** Throws `download-failed` or `engine-missing` when the sources are not to be had. */
export async function takeConverter(
  places: Places,
  from: BuiltFrom,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Converter> {
  const converter = converterIn(places, from)
  if (await isMade(converter.folder)) return converter
  await makeFolder(converter.folder, async (temporary) => {
    if (isFolder(from)) await copyParts(from.source, temporary)
    else await takeFromGit(places, from, temporary, new Runner(env, signal))
    const there = await readdir(temporary)
    if (!there.includes(SCRIPT) || !there.includes('requirements')) throw noConverter(from)
  })
  return converter
}

/** An engine built from a folder of sources is known by a sum of them. */
function isFolder({ commit }: BuiltFrom): boolean {
  return commit.startsWith('tree-')
}

async function copyParts(source: string, target: string): Promise<void> {
  if ((await stat(source).catch(() => null)) === null) {
    throw new Oss20bdError(
      'engine-missing',
      `Cannot convert: the engine was built from ${source}, which is gone, and the converter was in it`,
      { hint: 'Build an engine whose sources can be had again: oss20bd build' },
    )
  }
  for (const part of await namesOf(source)) {
    await cp(join(source, part), join(target, part), { recursive: true })
  }
}

async function namesOf(source: string): Promise<readonly string[]> {
  return (await readdir(source)).filter((name) => PARTS.has(name))
}

async function takeFromGit(
  places: Places,
  from: BuiltFrom,
  target: string,
  runner: Runner,
): Promise<void> {
  const git = join(target, '.git')
  const { commit } = from
  await runner.run('git', ['init', '--quiet', '--bare', git], from)
  const [origin, wanted] = await originOf(places, from, target, runner)
  await runner.run(
    'git',
    ['--git-dir', git, 'fetch', '--quiet', '--depth', '1', origin, wanted],
    from,
  )
  // A bundle is asked for what it has: that it is the commit of the engine is seen here.
  const listed = await runner.run('git', ['--git-dir', git, 'ls-tree', '--name-only', commit], from)
  const parts = listed.filter((name) => PARTS.has(name))
  const tar = join(target, '.tar')
  await runner.run('git', ['--git-dir', git, 'archive', '--output', tar, commit, ...parts], from)
  await runner.run('tar', ['-x', '-f', tar, '-C', target], from)
  await rm(tar)
  await rm(git, { recursive: true, force: true, maxRetries: 3 })
}

/** Where to fetch from, and what. */
async function originOf(
  { sources }: Places,
  from: BuiltFrom,
  target: string,
  runner: Runner,
): Promise<readonly [origin: string, wanted: string]> {
  const name = /^npm:(.+)$/.exec(from.source)?.[1]
  if (name === undefined) return [from.source.replace(/#.*$/s, ''), from.commit]
  const kept = join(sources, `${name.replace('@', '-')}.bundle`)
  if ((await stat(kept).catch(() => null)) !== null) return [kept, 'HEAD']
  const folder = join(target, '.npm')
  await mkdir(folder)
  await runner.run('npm', ['pack', name, '--prefer-offline', '--loglevel=error'], from, folder)
  const packed = (await readdir(folder)).find((file) => file.endsWith('.tgz')) ?? ''
  const inside = 'package/llama/gitRelease.bundle'
  await runner.run('tar', ['-x', '-z', '-f', join(folder, packed), '-C', folder, inside], from)
  const bundle = join(target, '.bundle')
  await rename(join(folder, inside), bundle)
  await rm(folder, { recursive: true, force: true })
  return [bundle, 'HEAD']
}

/** Runs git, npm and tar; their failure is one of the whole. */
class Runner {
  readonly #env: Record<string, string>
  readonly #signal: AbortSignal

  constructor(env: NodeJS.ProcessEnv, signal: AbortSignal) {
    this.#env = toolEnvironment(env, 'npm_config_')
    this.#signal = signal
  }

  /** The lines that it printed. */
  async run(
    file: string,
    args: readonly string[],
    from: BuiltFrom,
    cwd?: string,
  ): Promise<readonly string[]> {
    const lines: string[] = []
    const end = await runLongTool({
      file,
      args,
      env: this.#env,
      signal: this.#signal,
      onLine: (line) => lines.push(line),
      ...(cwd === undefined ? {} : { cwd }),
    })
    if (end.kind === 'done') return lines
    throw new Oss20bdError(
      'download-failed',
      `Cannot take the converter out of the sources of the engine (${from.source}): ${file}: ${lines.at(-1)?.trim() ?? end.how}`,
      { hint: 'Its sources must be reachable; then run the same command again' },
    )
  }
}

function noConverter({ source }: BuiltFrom): Oss20bdError {
  return new Oss20bdError('engine-missing', `Cannot convert: ${source} holds no ${SCRIPT}`, {
    hint: 'Build the engine that oss20bd is made for: oss20bd build',
  })
}

/** The architectures that the converter knows; null when it does not list them where we look. */
export async function knownArchitectures({
  folder,
}: Pick<Converter, 'folder'>): Promise<ReadonlySet<string> | null> {
  const text = await readFile(join(folder, 'conversion', '__init__.py'), 'utf8').catch(() => '')
  return parseArchitectures(text)
}

/** `TEXT_MODEL_MAP: dict[str, str] = { "LlamaForCausalLM": "llama", ... }`. Pure. */
export function parseArchitectures(text: string): ReadonlySet<string> | null {
  const body = /^TEXT_MODEL_MAP\b[^{]*\{([^}]*)\}/m.exec(text)?.[1]
  if (body === undefined) return null
  return new Set([...body.matchAll(/^ *"([^"]+)":/gm)].map(([, name = '']) => name))
}
