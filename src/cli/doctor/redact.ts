/** Takes out of a text what tells who somebody is or lets somebody in. Pure. */

/** What is known to be private on this machine. */
export interface Private {
  /** The home folder. */
  readonly home: string
  /** The user, under each name that is known. */
  readonly users: readonly string[]
  /** The machine. */
  readonly host: string
  /** Names that the user gave to apps, with their tokens. */
  readonly clients: readonly string[]
  /** What lets somebody in: tokens, keys, passwords. */
  readonly secrets: readonly string[]
}

/** Variables whose value lets somebody in. */
const SECRET_NAME = /TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE|SESSION/i
/** A shorter one would be found in other words. */
const SHORTEST_SECRET = 6
const SHORTEST_NAME = 2

/** The secrets of an environment, and the passwords in its addresses. */
export function secretsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(env).flatMap(([name, value = '']) => {
    const inAddress = /:\/\/([^/@\s]+)@/.exec(value)?.[1]?.split(':') ?? []
    return SECRET_NAME.test(name) ? [value, ...inAddress] : inAddress
  })
}

/** What looks like a secret whoever put it there. */
const SHAPES: readonly (readonly [shape: RegExp, stand: string])[] = [
  // Ours, of the hub, of OpenAI and others, of GitHub, of the web.
  [/\bo20-[\w-]{8,}/g, 'TOKEN'],
  [/\bhf_\w{8,}/g, 'TOKEN'],
  [/\bsk-[\w-]{8,}/g, 'TOKEN'],
  [/\bgh[pousr]_\w{8,}/g, 'TOKEN'],
  [/\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?/g, 'TOKEN'],
  [/\b(Bearer|Basic) +[\w.~+/=-]{4,}/gi, '$1 TOKEN'],
  [/(:\/\/)[^/@\s"]+@/g, '$1USER@'],
  [/([?&](?:token|key|api[_-]?key|password|secret)=)[^&\s"]+/gi, '$1TOKEN'],
  // `--api-key X`, `--hf-token=X`, and both as words of a JSON list.
  [/(--?[\w-]*(?:key|token|password|secret)[\w-]*)(=|"\s*,\s*"|\s+)[^\s",]+/gi, '$1$2TOKEN'],
  [/[\w.+-]+@[\w-]+\.[\w.-]*[a-z]{2,}/gi, 'ADDRESS'],
  // Homes of other users, disks with names of people, addresses of other machines.
  [/\/(Users|home)\/(?!Shared\b|USER\b)[^/\s"':]+/g, '/$1/USER'],
  [/\/Volumes\/[^/"']+/g, '/Volumes/DISK'],
  [/\b(?!127\.|0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}\b(?!\.\d)/g, 'ADDRESS'],
]

/** The home as `~`, the user as `USER`, the machine as `HOST`. `/root` names nobody. */
export function redact(text: string, { home, users, host, clients, secrets }: Private): string {
  const short = host.split('.')[0] ?? host
  const words: readonly (readonly [string, string])[] = [
    ...longestFirst(secrets, SHORTEST_SECRET).map((word) => [word, 'TOKEN'] as const),
    ...longestFirst(clients, SHORTEST_NAME).map((word) => [word, 'CLIENT'] as const),
    ...(home === '/root' || home === '/' ? [] : [[home, '~'] as const]),
    ...[host, short].map((word) => [word, 'HOST'] as const),
    ...users.filter((user) => user !== 'root').map((word) => [word, 'USER'] as const),
  ]
  const known = words.reduce((kept, [word, stand]) => withoutWord(kept, word, stand), text)
  return SHAPES.reduce((kept, [shape, stand]) => kept.replaceAll(shape, stand), known)
}

function longestFirst(words: readonly string[], shortest: number): readonly string[] {
  const kept = [...new Set(words)].filter((word) => word.length >= shortest)
  return kept.toSorted((one, other) => other.length - one.length)
}

/** As it is, as JSON writes it, and as an address does; names only where no letter goes on. */
function withoutWord(text: string, word: string, stand: string): string {
  if (word.length < SHORTEST_NAME) return text
  const forms = new Set([
    word,
    JSON.stringify(word).slice(1, -1),
    encodeURIComponent(Buffer.from(word).toString()),
  ])
  return [...forms].reduce((kept, form) => {
    const escaped = form.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    const isSecret = stand === 'TOKEN'
    const bounded = isSecret ? escaped : String.raw`(?<![\p{L}\p{N}])${escaped}(?![\p{L}\p{N}])`
    return kept.replaceAll(new RegExp(bounded, isSecret ? 'gu' : 'giu'), stand)
  }, text)
}
