/** Finds the file of a repository that a person means. */
import { Oss20bdError } from '../errors.ts'
import { formatBytes } from '../units.ts'
import { DownloadError, parseRetryAfter, refusalError } from './download/download-error.ts'
import type { Answer, Network } from './download/network.ts'

export interface HubFile {
  /** Within the repository. */
  readonly path: string
  readonly sizeBytes: number
  /** Lower-case hexadecimal; null when the hub does not say. */
  readonly sha256: string | null
}

export interface HubRepository {
  readonly repository: string
  readonly revision: string
}

/** A list of files longer than this is none of a model. */
const MAX_LIST_BYTES = 8 * 2 ** 20

/** The files of a repository. Throws `DownloadError`. */
export async function listRepository(
  endpoint: string,
  { repository, revision }: HubRepository,
  network: Network,
  signal: AbortSignal,
): Promise<readonly HubFile[]> {
  const tree = `${endpoint}/api/models/${repository}/tree/${encodeURIComponent(revision)}`
  const answer = await network.open(new URL(`${tree}?recursive=true`), { signal })
  try {
    if (answer.statusCode !== 200) throw refusal(answer, repository, network)
    return parseTree(await readText(answer))
  } finally {
    answer.close()
  }
}

function refusal(answer: Answer, repository: string, network: Network): DownloadError {
  const { url, statusCode, headers } = answer
  const hasToken = network.sendsTokenTo(url)
  // The hub says 401 for what does not exist, so as not to tell what is private.
  if (statusCode === 404 || (statusCode === 401 && !hasToken)) {
    return new DownloadError(
      `${url.host} has no repository ${repository} that everybody may read`,
      'Check its name; for a private or gated one set HF_TOKEN to a read token',
      'never',
    )
  }
  const retryAfterMs = parseRetryAfter(headers['retry-after'], Date.now())
  return refusalError({ url, statusCode, hasToken, redirected: false, retryAfterMs })
}

async function readText({ body, url }: Answer): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of body) {
    bytes += piece.length
    if (bytes > MAX_LIST_BYTES) throw noList(url)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function noList(url: URL): DownloadError {
  return new DownloadError(
    `${url.host} answered with something else than a list of files`,
    'Check HF_ENDPOINT, or name the address of the file itself',
    'never',
  )
}

/** Pure. Throws `DownloadError` for anything but a list. */
export function parseTree(text: string): readonly HubFile[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  if (!Array.isArray(value)) {
    const hint = 'Check HF_ENDPOINT, or name the address of the file itself'
    throw new DownloadError(
      'the hub answered with something else than a list of files',
      hint,
      'never',
    )
  }
  return value.flatMap(fileOf)
}

function fileOf(entry: unknown): HubFile[] {
  if (typeof entry !== 'object' || entry === null) return []
  const { type, path, size, lfs }: Readonly<Record<string, unknown>> = { ...entry }
  if (type !== 'file' || typeof path !== 'string' || typeof size !== 'number') return []
  const { oid }: Readonly<Record<string, unknown>> =
    typeof lfs === 'object' && lfs !== null ? { ...lfs } : {}
  const sha256 = typeof oid === 'string' && /^[0-9a-f]{64}$/.test(oid) ? oid : null
  return [{ path, sizeBytes: size, sha256 }]
}

/** What is taken when nobody says which: the form a model was published in, then what is usual. */
const PREFERRED = [/mxfp4/i, /q4_k_m/i, /q8_0/i]

/** Pure. Throws `usage` with what there is when it is not clear which one is meant. */
export function chooseFile(
  repository: string,
  files: readonly HubFile[],
  wanted: string | null,
): HubFile {
  const models = files.filter(({ path }) => /\.gguf$/i.test(path) && !/mmproj/i.test(path))
  if (models.length === 0) throw noGguf(repository, files)
  const exact = models.find(({ path }) => path === wanted || path.endsWith(`/${wanted}`))
  const named = exact === undefined ? models.filter(({ path }) => matches(path, wanted)) : [exact]
  const chosen = named.length === 1 ? named[0] : wanted === null ? preferred(named) : undefined
  if (chosen === undefined) throw unclear(repository, named.length === 0 ? models : named, wanted)
  if (/-\d{5}-of-\d{5}\.gguf$/i.test(chosen.path)) throw split(chosen)
  return chosen
}

function matches(path: string, wanted: string | null): boolean {
  return wanted === null || path.toLowerCase().includes(wanted.toLowerCase())
}

function preferred(files: readonly HubFile[]): HubFile | undefined {
  const found = PREFERRED.map((form) => files.filter(({ path }) => form.test(path)))
  return found.find((some) => some.length === 1)?.[0]
}

function noGguf(repository: string, files: readonly HubFile[]): Oss20bdError {
  const weights = files.some(({ path }) => /\.(safetensors|bin|pth)$/.test(path))
  const what = weights ? 'it holds weights for Python, no GGUF file' : 'it holds no GGUF file'
  return new Oss20bdError('model-unusable', `Cannot use ${repository}: ${what}`, {
    hint: `Look for ${repository.split('/')[1]}-GGUF on the hub; gpt-oss-20b comes with: oss20bd pull`,
  })
}

function unclear(
  repository: string,
  files: readonly HubFile[],
  wanted: string | null,
): Oss20bdError {
  const what =
    wanted === null
      ? `it holds ${files.length} GGUF files`
      : `${JSON.stringify(wanted)} fits none of its files, or several`
  const lines = files.map(
    ({ path, sizeBytes }) => `oss20bd pull ${repository}:${path}   ${formatBytes(sizeBytes)}`,
  )
  return new Oss20bdError('usage', `Cannot choose from ${repository}: ${what}`, {
    hint: `Name one:\n    ${lines.slice(0, 40).join('\n    ')}`,
  })
}

function split({ path }: HubFile): Oss20bdError {
  return new Oss20bdError('model-unusable', `Cannot use ${path}: it is one part of a split model`, {
    hint: 'Models in several files are for more memory than this program is made for: choose a smaller form of it',
  })
}
