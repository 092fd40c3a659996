/** The figures beside what was to be expected: the roofline of the machine and what others published. Pure. */
import type { BenchFigures } from './figures.ts'
import type { ChipMemory, PublishedSpeeds } from './chips.ts'
import { publishedPrompt, whyNoMemory } from './chips.ts'
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
  if (memory === null) return whyNoMemory(chip)
  return bytesAt === null ? 'what this model reads for a token is not known' : null
}

/** The speed that a machine in order has with an empty prompt, and how that is known. */
export interface UsualSpeed {
  readonly perSecond: number
  /** `published for M1 Pro, 32 GB`. */
  readonly source: string
}

/**
 * Of what is published, Macs reach 0.36 (M2 Ultra, M3 Ultra) to 0.6 (M1 Pro, M4 Max) of their roofline with
 * gpt-oss-20b: the more bandwidth, the less of it.
 */
const USUAL_SHARE = 0.5

/** null when nothing is known of the chip or the model. Behind a longer prompt it is less, by what is read more. */
export function usualSpeed(
  { memory, published, bytesAt }: Known,
  depthTokens: number,
): UsualSpeed | null {
  const empty = bytesAt?.(0)
  if (bytesAt === null || empty === undefined) return null
  const share = empty.totalBytes / bytesAt(depthTokens).totalBytes
  const measured = published?.generatedPerSecond ?? null
  if (published !== null && measured !== null) {
    return { perSecond: measured * share, source: `published for ${published.machine}` }
  }
  if (memory === null) return null
  const perSecond = roofline(memory.bytesPerSecond, empty) * USUAL_SHARE * share
  return { perSecond, source: 'half of what its memory could deliver' }
}
