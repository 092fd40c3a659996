/** Reads what a person names as a model to get: a known name, a repository of a hub, or an address. Pure. */
import { Oss20bdError } from '../errors.ts'
import { type CatalogModel, GPT_OSS_20B } from './catalog.ts'

export type ModelSource =
  /** A model whose size and checksum we know. */
  | { readonly kind: 'catalog'; readonly model: CatalogModel }
  /** `file` is a path in the repository, or a part of a name such as `Q4_K_M`; null = choose. */
  | {
      readonly kind: 'hub'
      readonly repository: string
      readonly revision: string
      readonly file: string | null
    }
  | { readonly kind: 'address'; readonly url: string; readonly fileName: string }

const NAME = '[\\w][\\w.-]*'
const REPOSITORY = new RegExp(`^(?:hf://|hf:)?(${NAME}/${NAME})(?::(.+))?$`)
/** A page or a file of the hub, as the browser shows its address. */
const HUB_PAGE = new RegExp(
  `^https?://(?:www\\.)?(?:huggingface\\.co|hf\\.co)/(${NAME}/${NAME})(?:/(?:blob|resolve|raw)/([^/?]+)/([^?#]+)|/tree/([^/?]+))?/?(?:[?#].*)?$`,
)

/** Throws `usage` for what is none of them. */
export function parseModelSource(text: string): ModelSource {
  const trimmed = text.trim()
  if (['gpt-oss-20b', 'gpt-oss', 'openai/gpt-oss-20b'].includes(trimmed.toLowerCase())) {
    return { kind: 'catalog', model: GPT_OSS_20B }
  }
  const [page, pageRepository, revision, file, tree] = HUB_PAGE.exec(trimmed) ?? []
  if (page !== undefined && pageRepository !== undefined) {
    const path = file === undefined ? null : decodePath(file)
    return {
      kind: 'hub',
      repository: pageRepository,
      revision: revision ?? tree ?? 'main',
      file: path,
    }
  }
  if (/^https?:\/\//i.test(trimmed)) return addressOf(trimmed)
  const [, repository, named] = REPOSITORY.exec(trimmed) ?? []
  if (repository !== undefined) {
    return { kind: 'hub', repository, revision: 'main', file: named ?? null }
  }
  throw new Oss20bdError(
    'usage',
    `Cannot get ${JSON.stringify(text)}: it is neither a known model, nor OWNER/REPO[:FILE], nor an address`,
    {
      hint: 'For example: oss20bd pull, oss20bd pull unsloth/gpt-oss-20b-GGUF:Q4_K_M, oss20bd pull https://HOST/model.gguf',
    },
  )
}

function addressOf(text: string): ModelSource {
  const url = URL.canParse(text) ? new URL(text) : null
  const fileName = decodePath(url?.pathname.split('/').at(-1) ?? '')
  if (url !== null && isFileName(fileName)) return { kind: 'address', url: url.href, fileName }
  throw new Oss20bdError('usage', `Cannot get ${text}: its path must end in the name of a file`, {
    hint: 'For example: https://HOST/FOLDER/model.gguf',
  })
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** File systems end at 255; the notes beside a model have longer names than it. */
const MAX_NAME_BYTES = 200
/** Letters of every script and emoji; nothing that a shell or a terminal would take for something else. */
const SAFE_NAME =
  /^(?![ .)+@-])(?:[\w .()+@-]|[^\p{ASCII}\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}])+$/u

/** A name that is safe to create in a folder: what a server says must not lead out of it. */
export function isFileName(name: string): boolean {
  return SAFE_NAME.test(name) && Buffer.byteLength(name) <= MAX_NAME_BYTES
}

/** The address of one file of a repository. */
export function hubFileUrl(
  endpoint: string,
  { repository, revision, file }: Readonly<Record<'repository' | 'revision' | 'file', string>>,
): string {
  const path = file.split('/').map(encodeURIComponent).join('/')
  return `${endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${path}`
}
