/** The built page: read once, sent compressed as it lies there. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errnoOf } from '../../errors.ts'

/** Beside the compiled daemon. */
export const builtPage = fileURLToPath(new URL('../../dashboard', import.meta.url))

type Coding = 'br' | 'gzip' | 'identity'

interface Asset {
  readonly type: string
  /** Its name changes with what is in it. */
  readonly isHashed: boolean
  readonly etag: string
  readonly bytes: ReadonlyMap<Coding, Buffer>
}

/** By path below `/oss20bd/`; empty when the page is not built. */
export type Assets = ReadonlyMap<string, Asset>

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}
const endings: readonly (readonly [string, Coding])[] = [
  ['.br', 'br'],
  ['.gz', 'gzip'],
]

export async function readAssets(folder: string): Promise<Assets> {
  const assets = new Map<string, Asset>()
  for (const name of await filesIn(folder)) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const plain = await readFile(join(folder, name))
    const bytes = new Map<Coding, Buffer>([['identity', plain]])
    for (const [ending, coding] of endings) {
      bytes.set(coding, await readFile(join(folder, `${name}${ending}`)))
    }
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
    const path = name.split(sep).join('/')
    assets.set(path === 'index.html' ? '' : path, {
      type,
      isHashed: path.startsWith('assets/'),
      etag,
      bytes,
    })
  }
  return assets
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

export function sendAsset(
  asset: Asset,
  headers: Readonly<Record<string, string>>,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const common = {
    ...headers,
    ETag: asset.etag,
    'Cache-Control': asset.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    Vary: 'Accept-Encoding',
  }
  if (req.headers['if-none-match'] === asset.etag) {
    res.writeHead(304, common).end()
    return
  }
  const coding = codingFor(req.headers['accept-encoding'] ?? '')
  const body = asset.bytes.get(coding) ?? Buffer.alloc(0)
  res.writeHead(200, {
    ...common,
    'Content-Type': asset.type,
    'Content-Length': body.length,
    ...(coding === 'identity' ? {} : { 'Content-Encoding': coding }),
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

/** The smallest one that is taken; with `q=0` it is not. */
export function codingFor(accepted: string): Coding {
  const taken = new Set(
    accepted
      .split(',')
      .map((item) => item.trim().toLowerCase())
      .filter((item) => !/;\s*q=0(?:\.0*)?$/.test(item))
      .map((item) => item.split(';', 1)[0]?.trim()),
  )
  if (taken.has('br')) return 'br'
  return taken.has('gzip') ? 'gzip' : 'identity'
}
