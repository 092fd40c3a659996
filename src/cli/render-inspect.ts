/** What a model file is, as lines for a person. Pure. */
import type { ModelFacts } from '../model/model-facts.ts'
import type { Origin } from '../model/origin.ts'
import type { TooLarge } from '../model/too-large.ts'
import { formatBytes } from '../units.ts'

export interface Inspected extends ModelFacts {
  readonly file: string
  readonly sizeBytes: number
  /** Every tensor lies within the file. */
  readonly whole: boolean
  readonly origin: Origin | null
  /** null when its weights fit into this machine. */
  readonly tooLarge: TooLarge | null
  readonly need:
    | {
        readonly kind: 'known'
        readonly rows: readonly {
          readonly contextTokens: number
          readonly bytes: number
          readonly fits: boolean
        }[]
      }
    | { readonly kind: 'unknown'; readonly reason: string }
}

const LABEL_WIDTH = 14

export function renderInspected(model: Inspected): readonly string[] {
  const rows: readonly (readonly [label: string, text: string])[] = [
    ['File', model.file],
    ['Size', `${formatBytes(model.sizeBytes)}, whole: every tensor lies within the file`],
    ['Model', `${model.name ?? 'without a name'}, ${kindOf(model)}`],
    ['Parameters', parametersOf(model)],
    ['Layers', `${shown(model.layers)}, width ${shown(model.width)}, ${headsOf(model)}`],
    ['Experts', expertsOf(model)],
    [
      'Weights',
      model.types
        .map(({ type, tensors, bytes }) => `${type} ${formatBytes(bytes)} in ${tensors}`)
        .join(', '),
    ],
    ['Context', `${shown(model.trainedTokens)} tokens trained${windowOf(model)}`],
    [
      'Tokenizer',
      `${model.tokenizer.kind ?? 'unknown'}, ${model.tokenizer.splitter ?? 'unknown'}, ${shown(model.vocabulary)} tokens`,
    ],
    ['Template', templateOf(model)],
    ['From', fromOf(model.origin)],
  ]
  return [
    ...rows.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)}${text}`),
    ...needOf(model).map(
      (text, index) => `${(index === 0 ? 'Memory' : '').padEnd(LABEL_WIDTH)}${text}`,
    ),
    ...(model.tooLarge === null ? [] : ['', model.tooLarge.message, `  ${model.tooLarge.hint}`]),
  ]
}

function shown(value: number | null): string {
  return value === null ? 'unknown' : value.toLocaleString('en')
}

function kindOf({ architecture, isGptOss, testModel }: Inspected): string {
  if (testModel) return 'the built-in test model of oss20bd (gpt-oss)'
  return isGptOss ? 'gpt-oss' : `${architecture}, not gpt-oss`
}

function parametersOf({ parameters, bitsPerWeight }: Inspected): string {
  const amount =
    parameters >= 1e9 ? `${(parameters / 1e9).toFixed(2)} billion` : parameters.toLocaleString('en')
  return bitsPerWeight === null ? amount : `${amount}, ${bitsPerWeight.toFixed(2)} bits each`
}

function headsOf({ heads, kvHeads }: Inspected): string {
  return `${shown(heads)} heads, ${shown(kvHeads ?? heads)} for keys and values`
}

function expertsOf({ experts, expertsUsed }: Inspected): string {
  if (experts === null || experts === 0) return 'none'
  return `${shown(experts)}, ${shown(expertsUsed)} for each token`
}

function windowOf({ windowTokens }: Inspected): string {
  return windowTokens === null ? '' : `, a window of ${shown(windowTokens)} in some layers`
}

function templateOf({ template, isGptOss }: Inspected): string {
  if (template === null) return 'none: chat requests will not be answered as they should'
  const size = `${shown(template.characters)} characters`
  if (template.harmony) return `${size}, harmony`
  return isGptOss ? `${size}, not harmony: gpt-oss needs that` : size
}

function fromOf(origin: Origin | null): string {
  if (origin === null) return 'unknown; oss20bd verify computes its checksum'
  const where = origin.source ?? 'put there by hand'
  const sum =
    origin.checked === 'published' ? 'checksum as published' : 'checksum of the first look'
  return `${where}, ${origin.at.slice(0, 10)}, ${sum}`
}

function needOf({ need }: Inspected): readonly string[] {
  if (need.kind === 'unknown') return [`unknown: ${need.reason}`]
  return need.rows.map(({ contextTokens, bytes, fits }) => {
    const tokens = shown(contextTokens).padStart(7)
    return `${tokens} tokens of context: ${formatBytes(bytes)}${fits ? '' : ', more than this machine has for it'}`
  })
}
