/** The figures beside what was to be expected: the roofline of the machine and what others published. Pure. */
import type { BenchFigures } from './figures.ts'
import type { ChipMemory, PublishedSpeeds } from './chips.ts'
import { publishedPrompt } from './chips.ts'
import type { BytesPerToken } from './roofline.ts'
import { roofline, ROOFLINE_FORMULA } from './roofline.ts'

export interface ExpectedAtDepth {
  readonly depthTokens: number
  readonly bytesPerToken: BytesPerToken | null
  readonly rooflinePerSecond: number | null
  /** Measured generation by the roofline, 0 to 1. */
  readonly rooflineShare: number | null
  readonly publishedPromptPerSecond: number | null
}

export interface Expected {
  readonly formula: string
  readonly bandwidth: ChipMemory | null
  /** Why there is no roofline; null when there is one. */
  readonly unknown: string | null
  readonly published: {
    readonly machine: string
    readonly source: string
    readonly generatedPerSecond: number | null
  } | null
  readonly depths: readonly ExpectedAtDepth[]
}

export interface Known {
  readonly memory: ChipMemory | null
  readonly published: PublishedSpeeds | null
  /** null when the model is not one whose reads are known. */
  readonly bytesAt: ((depthTokens: number) => BytesPerToken) | null
}

export function expectations(
  { depths, machine, model }: Pick<BenchFigures, 'depths' | 'machine' | 'model'>,
  { memory, published: all, bytesAt }: Known,
): Expected {
  // Others measured gpt-oss-20b; the test model is a ten-thousandth of it.
  const published = model.testModel ? null : all
  return {
    formula: ROOFLINE_FORMULA,
    bandwidth: memory,
    unknown: whyUnknown(machine.chip, memory, bytesAt),
    published: published === null ? null : withoutPrompts(published),
    depths: depths.map(({ depthTokens, generatedPerSecond }) => {
      const bytes = bytesAt?.(depthTokens) ?? null
      const limit =
        memory === null || bytes === null ? null : roofline(memory.bytesPerSecond, bytes)
      return {
        depthTokens,
        bytesPerToken: bytes,
        rooflinePerSecond: limit,
        rooflineShare:
          limit === null || generatedPerSecond === null ? null : generatedPerSecond / limit,
        publishedPromptPerSecond: published && publishedPrompt(published, depthTokens),
      }
    }),
  }
}

function withoutPrompts({
  machine,
  source,
  generatedPerSecond,
}: PublishedSpeeds): Expected['published'] {
  return { machine, source, generatedPerSecond }
}

function whyUnknown(
  chip: string | null,
  memory: ChipMemory | null,
  bytesAt: Known['bytesAt'],
): string | null {
  if (memory === null) {
    return chip === null
      ? 'the chip of this machine is not known'
      : `the memory bandwidth of ${chip} is not known`
  }
  return bytesAt === null ? 'what this model reads for a token is not known' : null
}
