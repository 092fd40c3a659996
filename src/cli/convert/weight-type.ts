/** The names of types of weights: those that people say, and those that llama-quantize takes. Pure. */
import { didYouMean } from '../../config/did-you-mean.ts'
import { Oss20bdError } from '../../errors.ts'

/** What people say, and the one of llama.cpp's types that is meant: the usual trade of its size. */
const SPOKEN: ReadonlyMap<string, string> = new Map([
  ['Q2', 'Q2_K'],
  ['Q3', 'Q3_K_M'],
  ['Q4', 'Q4_K_M'],
  ['4BIT', 'Q4_K_M'],
  ['INT4', 'Q4_K_M'],
  ['Q5', 'Q5_K_M'],
  ['Q6', 'Q6_K'],
  ['Q8', 'Q8_0'],
  ['8BIT', 'Q8_0'],
  ['INT8', 'Q8_0'],
  ['MXFP4', 'MXFP4_MOE'],
])

/** Those that `--help` of llama-quantize lists, in its order: `  15  or  Q4_K_M  :  4.58G, ...`. */
export function parseTypes(help: string): readonly string[] {
  const names = [...help.matchAll(/^ *\d+ +or +([A-Z][A-Z0-9_]*) +:/gm)].map(([, name]) => name)
  return names.filter((name) => name !== undefined)
}

/** Throws `usage` for a name that is none of `types`, nor spoken for one of them. */
export function chooseType(written: string, types: readonly string[]): string {
  const upper = written.trim().toUpperCase()
  const name = SPOKEN.get(upper.replaceAll(/[-_ ]/g, '')) ?? upper
  if (types.includes(name)) return name
  const meant = didYouMean(written, [...types, 'q4', 'q8'])
  const known = `q4 and q8 are the usual ones; all: ${types.join(', ')}`
  const hint = meant === null ? known : `Did you mean ${meant}? ${known}`
  throw new Oss20bdError('usage', `Cannot use the type ${JSON.stringify(written)}: there is none`, {
    hint,
  })
}
