/** The words of the built-in test model and which token follows which. Pure. */

export type TestModelVariant = 'counts-in-answer' | 'counts-in-reasoning' | 'malformed-harmony'

export interface Vocabulary {
  readonly tokens: readonly string[]
  /** ggml's token types: 1 normal, 3 control, 4 user-defined, 5 unused. */
  readonly types: readonly number[]
  readonly idOf: (token: string) => number
  /** For each token, the id of the one and only token that comes after it. */
  readonly successors: readonly number[]
}

// Each piece is one token and has one successor, so no piece may occur twice, not even across both texts.
const ANSWER_PIECES = [
  'This',
  ' is',
  ' the',
  ' built-in',
  ' test',
  ' model',
  ' of',
  ' oss20bd,',
  ' not',
  ' the real',
  ' gpt-oss-20b:',
  ' it',
  ' gives',
  ' this',
  ' same',
  ' answer',
  ' to',
  ' every',
  ' question.',
]
const REASONING_PIECES = [
  'All',
  ' words',
  ' here',
  ' were',
  ' fixed',
  ' beforehand:',
  ' no',
  ' thinking',
  ' takes',
  ' place.',
]

/** What the test model answers to every chat. */
export const TEST_MODEL_ANSWER = ANSWER_PIECES.join('')

/** What the test model gives as `reasoning_content` in every chat. */
export const TEST_MODEL_REASONING = REASONING_PIECES.join('')

const CONTROL = [
  '<|startoftext|>',
  '<|endoftext|>',
  '<|return|>',
  '<|constrain|>',
  '<|channel|>',
  '<|start|>',
  '<|end|>',
  '<|message|>',
  '<|call|>',
]
// The engine parses harmony in the detokenised text, so one token may spell several markers.
const PROMPT_END = '<|start|>assistant'
const TO_REASONING = 'analysis<|message|>'
const TO_ANSWER = '<|end|><|start|>assistant<|channel|>final<|message|>'

/** All tokens, padded to a multiple of 32 because a quantized row is made of blocks of 32. */
export function testVocabulary(variant: TestModelVariant | null): Vocabulary {
  const bytes = Array.from({ length: 256 }, (_, byte) => byteToken(byte))
  // User-defined, not normal: without merges only those are found again in a prompt, so that an
  // answer that was cut between two pieces and is sent back goes on where it stopped.
  const pieces = [PROMPT_END, TO_REASONING, TO_ANSWER, ...REASONING_PIECES, ...ANSWER_PIECES]
  const used = [...bytes, ...CONTROL, ...pieces]
  const unused = Array.from({ length: (32 - (used.length % 32)) % 32 }, (_, i) => `<|unused${i}|>`)
  const tokens = [...used, ...unused]
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const idOf = (token: string): number => ids.get(token) ?? missing(token)
  return {
    tokens,
    types: [
      ...bytes.map(() => 1),
      ...CONTROL.map(() => 3),
      ...pieces.map(() => 4),
      ...unused.map(() => 5),
    ],
    idOf,
    successors: successors(tokens, idOf, variant),
  }
}

function missing(token: string): never {
  throw new Error(`no token ${JSON.stringify(token)} in the test vocabulary`)
}

function successors(
  tokens: readonly string[],
  idOf: (token: string) => number,
  variant: TestModelVariant | null,
): number[] {
  // Whatever no chain names leads to the answer: a prompt of any text is answered, never with noise.
  const next = tokens.map(() => idOf('This'))
  for (const chain of chains(variant)) {
    for (const [index, token] of chain.entries()) {
      const follower = chain[index + 1]
      if (follower !== undefined) next[idOf(token)] = idOf(follower)
    }
  }
  return next
}

function chains(variant: TestModelVariant | null): string[][] {
  const digits = Array.from('0123456789')
  const counting = ['#', ...digits, '0']
  const chat = [PROMPT_END, '<|channel|>', TO_REASONING]
  const answer = [...ANSWER_PIECES, '<|return|>']
  switch (variant) {
    case null:
      return [counting, [...chat, ...REASONING_PIECES, TO_ANSWER, ...answer]]
    case 'counts-in-answer':
      return [counting, [...chat, ...REASONING_PIECES, TO_ANSWER, '0'], answer]
    case 'counts-in-reasoning':
      return [counting, [...chat, '0'], answer]
    case 'malformed-harmony':
      return [counting, [PROMPT_END, ...answer]]
  }
}

/** GPT-2's spelling of a byte: printable Latin-1 stands for itself, the rest is moved above 255. */
function byteToken(byte: number): string {
  if (printable(byte)) return String.fromCodePoint(byte)
  const moved = Array.from({ length: byte }, (_, code) => code).filter((code) => !printable(code))
  return String.fromCodePoint(256 + moved.length)
}

function printable(code: number): boolean {
  return (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || code >= 174
}
