/** Gets a model that a person named into the models folder. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { Oss20bdError } from '../errors.ts'
import { type ExpectedFile, hubEndpoint } from '../model/catalog.ts'
import { Network } from '../model/download/network.ts'
import { DEFAULT_LIMITS } from '../model/download/limits.ts'
import { chooseFile, listRepository } from '../model/hub.ts'
import { hubFileUrl, isFileName, type ModelSource } from '../model/model-source.ts'
import { readOrigin } from '../model/origin.ts'
import { type Pulled, type PullProgress, pullModel } from '../model/pull.ts'
import type { Context } from './command.ts'

export interface PullWish {
  readonly source: ModelSource
  /** The name of the file in the models folder; null = as the server calls it. */
  readonly name: string | null
  /** What its checksum must be, lower-case hexadecimal; null = what is published. */
  readonly sha256: string | null
  readonly connections: number
  readonly signal: AbortSignal
  readonly onProgress: (progress: PullProgress) => void
  readonly onTrouble: (message: string) => void
}

export interface PulledModel extends Pulled {
  readonly file: string
}

export const DEFAULT_CONNECTIONS = DEFAULT_LIMITS.connections

/** Throws `usage`, `download-failed`, `disk-full`, `model-unusable`, `already-running`. */
export async function pullNamedModel(context: Context, wish: PullWish): Promise<PulledModel> {
  const endpoint = hubEndpoint(context.env['HF_ENDPOINT'])
  const token = context.env['HF_TOKEN'] ?? ''
  const access = { token: token === '' ? null : token, tokenOrigin: new URL(endpoint).origin }
  const target = await findTarget(endpoint, access, wish)
  const destination = join(context.paths.models, nameOf(target, wish.name))
  const { sha256 } = wish
  await refuseToReplace(destination, target.url)
  const pulled = await pullModel({
    ...access,
    url: target.url,
    destination,
    expected: target.expected,
    sha256,
    onProgress: wish.onProgress,
    signal: wish.signal,
    clock: systemClock,
    limits: { connections: wish.connections },
    log: {
      info: () => undefined,
      warn: (message, fields) => wish.onTrouble(`${message}: ${String(fields?.['reason'] ?? '')}`),
    },
  })
  return { ...pulled, file: destination }
}

interface Target {
  readonly url: string
  readonly fileName: string
  readonly expected: readonly ExpectedFile[]
}

type Access = Readonly<Record<'tokenOrigin', string>> & { readonly token: string | null }

async function findTarget(endpoint: string, access: Access, wish: PullWish): Promise<Target> {
  const { source, signal } = wish
  switch (source.kind) {
    case 'address':
      return { ...source, expected: [] }
    case 'catalog': {
      const { repository, file, expected } = source.model
      const url = hubFileUrl(endpoint, { repository, revision: 'main', file })
      return { url, fileName: file, expected }
    }
    case 'hub': {
      using network = new Network({
        ...access,
        stallMs: DEFAULT_LIMITS.stallMs,
        clock: systemClock,
      })
      const files = await listRepository(endpoint, source, network, signal)
      const { path, sizeBytes, sha256 } = chooseFile(source.repository, files, source.file)
      const fileName = path.split('/').at(-1) ?? path
      return {
        url: hubFileUrl(endpoint, { ...source, file: path }),
        fileName,
        expected: sha256 === null ? [] : [{ bytes: sizeBytes, sha256 }],
      }
    }
  }
}

function nameOf({ fileName }: Target, asked: string | null): string {
  const name = asked ?? fileName
  // One spelling of letters that have two (が, é): as keyboards type them.
  const full = (/\.gguf$/i.test(name) ? name : `${name}.gguf`).normalize('NFC')
  if (isFileName(full)) return full
  throw new Oss20bdError(
    'usage',
    `Cannot name the model ${JSON.stringify(full)}: a plain file name of at most 200 bytes is needed`,
    { hint: 'Give it one with --name NAME' },
  )
}

/** Two models may share a name: one that came from elsewhere is not overwritten. */
async function refuseToReplace(destination: string, url: string): Promise<void> {
  const isThere = await stat(destination).catch(() => null)
  if (isThere === null) return
  const source = (await readOrigin(destination))?.source ?? null
  const { pathname } = new URL(url)
  // A mirror has another host, and the same path below its own.
  if (source === null || new URL(source).pathname.endsWith(pathname)) return
  throw new Oss20bdError(
    'usage',
    `Cannot download to ${destination}: there is a model of that name already, from ${source}`,
    {
      hint: 'Give the new one another name with --name NAME, or remove the old one: oss20bd models remove NAME',
    },
  )
}
