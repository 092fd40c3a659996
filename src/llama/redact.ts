/** Cuts prompts and answers out of what llama-server prints. Pure. */

/** Nothing behind it is ever logged, so nothing behind it is looked at. */
const readLength = 4000

/** What a matched line keeps; the rest of it may be words of a user or of the model. */
const contentAfter: readonly RegExp[] = [
  /unparsed \S{1,40} output: /,
  /anthropic string not as expected: /,
  /Skipping tool without function: /,
  /Tool call mismatch: /,
  /unsupported Responses tool type /,
  /unable to match sampler by \w+ /,
  /error initializing grammar sampler for grammar:/,
  /error parsing grammar: /,
  /error printing grammar: /,
  /JSON schema conversion was incomplete: /,
  /AST for \w+ (?:parse|\w+ parse)/,
  /(?:downloading|loading) image from /,
  /control \S{1,40} on unknown completion id=/,
  /while handling exception: /,
]

/** Before an error text made from the request: only how it begins is ours to keep. */
const errorAfter: readonly RegExp[] = [
  /got (?:another )?exception: /,
  /task id = -?\d+, error: /,
  /what\(\): +/,
  /uncaught exception of type [\w:]+: /,
]

/** Matches where any of them does: nearly every line ends at this one test. */
const anyCut = new RegExp([...contentAfter, ...errorAfter].map(({ source }) => source).join('|'))

const cuts = [
  ...contentAfter.map((pattern) => ({ pattern, cutAt: cut })),
  ...errorAfter.map((pattern) => ({ pattern, cutAt: cutError })),
]

/** Lines on stderr that no log call made, and that are still no content: aborts, loaders, usage. */
const knownRawLines: readonly RegExp[] = [
  // `ggml_metal_init: ...`, before or without a log.
  /^(?:E |W )?(?:ggml|gguf|llama|common|clip|mtmd)_\w{1,80}: /,
  /^(?:load|load_backend|parse): /,
  // `dyld[1]: ...`, `libc++abi: ...`, `sh: ...`, `/x/llama-server: error while ...`
  /^(?:dyld(?:\[\d+\])?|libc\+\+abi|libc\+\+abi\.dylib|sh|bash|env|prlimit|Assertion failed): /,
  /^\/[^:]{1,400}: /,
  // `/src/ggml/ggml.c:12: GGML_ASSERT(...)`; the folder may have a space.
  /^[^:]{1,400}\.(?:c|cc|cpp|cu|h|hpp|m|mm):\d+: /,
  /^(?:srv|slot|cmn|que|cmd|res) {1,12}\S/,
  /^[EW] (?:srv|slot|cmn|que|cmd|res) /,
  /^(?:[EW] )?(?:error|warn|warning|usage|version|available devices): ?/i,
  /^(?:error while handling |expected value for argument$|invalid device: |no devices specified$)/,
  /^(?:built with |Received second interrupt|terminate called |terminating due to )/,
  /^(?:free|malloc|double free|corrupted |munmap_chunk)\S*\(/,
  /^\s*what\(\): /,
  /^\s+(?:Referenced from|Reason|Expected in|MTL\d|CPU)\b/,
  // Frames of a backtrace.
  /^\d+:? +\S* *0x[0-9a-f]+/i,
  /^-{1,2}[a-z]/i,
]

/** A log message as one line without the words of users and of the model. */
export function redactMessage(message: string): string {
  const head = message.slice(0, readLength)
  if (!anyCut.test(head)) return message
  let first: { at: number; to: number; cutAt: typeof cut } | null = null
  // The first in the message counts: what stands behind it may be made to look like another.
  for (const { pattern, cutAt } of cuts) {
    const match = pattern.exec(head)
    if (match === null || (first !== null && first.at <= match.index)) continue
    first = { at: match.index, to: match.index + match[0].length, cutAt }
  }
  return first === null ? message : first.cutAt(message, first.to)
}

/** A line that is not in any log format; what is not known to be harmless is only counted. */
export function redactRawLine(line: string): string {
  const head = line.slice(0, readLength)
  // `::=` is a line of a user's grammar.
  const known = !head.includes('::=') && knownRawLines.some((pattern) => pattern.test(head))
  return known ? redactMessage(line) : notLogged(line.length)
}

export function notLogged(characters: number): string {
  return `(${characters} characters not logged)`
}

function cut(text: string, at: number): string {
  const rest = text.length - at
  return rest === 0 ? text : text.slice(0, at) + notLogged(rest)
}

function cutError(text: string, at: number): string {
  return text.slice(0, at) + errorHead(text.slice(at, at + readLength))
}

/** `Failed to parse tools: {...}` to `Failed to parse tools`; an error in JSON to its code and that. */
function errorHead(text: string): string {
  const code = /^\{"error":\{"code":(\d+)/.exec(text)?.[1]
  const message = /"message":"((?:[^"\\]|\\.)*)/.exec(text)?.[1]
  const words = (message ?? text).replace(/(?:: |["'{\\\n]).*$/s, '').slice(0, 120)
  return code === undefined ? words : `${code} ${words}`
}
