/** Cuts prompts and answers out of what llama-server prints. Pure. */

/** What a matched line keeps; the rest of it may be words of a user or of the model. */
const contentAfter: readonly RegExp[] = [
  /unparsed \S+ output: /,
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
  /control \S+ on unknown completion id=/,
  /while handling exception: /,
]

/** Before an error text made from the request: only how it begins is ours to keep. */
const errorAfter = /(?:got (?:another )?exception: |task id = -?\d+, error: |what\(\): +)/

/** Lines on stderr that no log call made, and that are still no content: aborts, loaders, usage. */
const knownRawLines: readonly RegExp[] = [
  // `ggml_metal_init: ...`, `dyld[1]: ...`, `libc++abi: ...`, `/x/llama-server: error while ...`
  /^[/\w][\w.+/-]*(?:\[\d+\])?(?:\(\))?: /,
  /^[/\w][\w.+/-]*:\d+: /,
  /^(?:srv|slot|cmn|que|cmd|res) +\S/,
  // A text log without times.
  /^[EW] [\w ]+: /,
  /^(?:error|warn|warning|usage|version|built with|received|available|terminate called)\b/i,
  /^\s*what\(\): /,
  /^\s+(?:Referenced from|Reason|Expected in|MTL\d|CPU)\b/,
  // Frames of a backtrace.
  /^\d+:? +\S* *0x[0-9a-f]+/i,
  /^-{1,2}[a-z]/i,
]

/** A log message as one line without the words of users and of the model. */
export function redactMessage(message: string): string {
  for (const pattern of contentAfter) {
    const match = pattern.exec(message)
    if (match !== null) return cut(message, match.index + match[0].length)
  }
  const error = errorAfter.exec(message)
  if (error !== null) {
    const start = error.index + error[0].length
    return message.slice(0, start) + errorHead(message.slice(start))
  }
  return message
}

/** A line that is not in any log format; what is not known to be harmless is only counted. */
export function redactRawLine(line: string): string {
  // `::=` is a line of a user's grammar.
  const known = !line.includes('::=') && knownRawLines.some((pattern) => pattern.test(line))
  return known ? redactMessage(line) : notLogged(line.length)
}

export function notLogged(characters: number): string {
  return `(${characters} characters not logged)`
}

function cut(text: string, at: number): string {
  const rest = text.length - at
  return rest === 0 ? text : text.slice(0, at) + notLogged(rest)
}

/** `Failed to parse tools: {...}` to `Failed to parse tools`; an error in JSON to its code and that. */
function errorHead(text: string): string {
  const code = /^\{"error":\{"code":(\d+)/.exec(text)?.[1]
  const message = /"message":"((?:[^"\\]|\\.)*)/.exec(text)?.[1]
  const words = (message ?? text).replace(/(?:: |["'{\\\n]).*$/s, '').slice(0, 120)
  return code === undefined ? words : `${code} ${words}`
}
