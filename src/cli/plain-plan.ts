/** Reads the plain forms of `oss20bd plan` without yargs, whose loading takes longer than the plan. Pure. */
import { parseArgs } from 'node:util'

export interface PlainPlan {
  readonly json: boolean
  /** As `commands/plan.ts` takes them. */
  readonly args: Readonly<Record<string, string | number>>
}

/** Null for all that is not plain, or wrong: yargs reads it, and words what is wrong. */
export function readPlainPlan(words: readonly string[]): PlainPlan | null {
  const parsed = parse(words)
  if (parsed === null) return null
  const { json, context, ...sizes } = parsed
  const tokens = context === undefined ? null : Number(context)
  if (context === '' || Number.isNaN(tokens)) return null
  return {
    json: json === true,
    args: { ...sizes, ...(tokens === null ? {} : { context: tokens }) },
  }
}

type Words = Readonly<{
  json?: boolean
  context?: string
  memory?: string
  gpu?: string
  model?: string
}>

function parse(words: readonly string[]): Words | null {
  try {
    const { values, tokens } = parseArgs({
      args: [...words],
      options: {
        json: { type: 'boolean' },
        context: { type: 'string' },
        memory: { type: 'string' },
        gpu: { type: 'string' },
        model: { type: 'string' },
      },
      tokens: true,
    })
    return tokens.length === Object.keys(values).length ? values : null
  } catch {
    return null
  }
}
