/** What is published of a chip: how fast its memory is, and how fast others found gpt-oss-20b on it. Pure. */

export interface ChipMemory {
  readonly bytesPerSecond: number
  readonly source: string
}

const APPLE = 'the technical specifications that Apple publishes for the chip'

/** GB/s by chip, and by its CPU cores where a chip is sold with two widths of memory. */
const APPLE_GB_PER_SECOND: ReadonlyMap<string, number | ReadonlyMap<number, number>> = new Map<
  string,
  number | ReadonlyMap<number, number>
>([
  ['M1', 68.25],
  ['M1 Pro', 200],
  ['M1 Max', 400],
  ['M1 Ultra', 800],
  ['M2', 100],
  ['M2 Pro', 200],
  ['M2 Max', 400],
  ['M2 Ultra', 800],
  ['M3', 100],
  ['M3 Pro', 150],
  [
    'M3 Max',
    new Map([
      [14, 300],
      [16, 400],
    ]),
  ],
  ['M3 Ultra', 819],
  ['M4', 120],
  ['M4 Pro', 273],
  [
    'M4 Max',
    new Map([
      [14, 410],
      [16, 546],
    ]),
  ],
  ['M5', 153],
])

/** null for a chip whose memory is not fixed by the chip (PCs) or came after this version of oss20bd. */
export function chipMemory(chip: string | null, cores: number | null): ChipMemory | null {
  const found = APPLE_GB_PER_SECOND.get(appleName(chip) ?? '')
  const gbPerSecond = typeof found === 'object' ? found.get(cores ?? 0) : found
  return gbPerSecond === undefined ? null : { bytesPerSecond: gbPerSecond * 1e9, source: APPLE }
}

/** Speeds of gpt-oss-20b MXFP4 in tokens per second. */
export interface PublishedSpeeds {
  /** The machine that was measured; others with this chip may have more or fewer GPU cores. */
  readonly machine: string
  readonly source: string
  /** Reading a prompt, by its tokens. */
  readonly promptPerSecond: ReadonlyMap<number, number>
  /** 128 tokens behind an empty prompt. */
  readonly generatedPerSecond: number | null
}

/** llama-bench with -fa 1 -b 2048 -ub 2048, which reads prompts somewhat faster than the -ub 512 used here. */
const LLAMA_BENCH = 'https://github.com/ggml-org/llama.cpp/discussions/15396'
const LLAMA_BENCH_PROMPTS = [2048, 8192, 16_384, 32_768]

const PUBLISHED: ReadonlyMap<string, PublishedSpeeds> = new Map([
  ['M1 Pro', llamaBench('M1 Pro, 32 GB', [516, 437, 361], 45.7)],
  ['M1 Max', llamaBench('M1 Max, 64 GB', [995, 843, 699, 498], 75.2)],
  ['M4 Max', llamaBench('M4 Max, 36 GB', [1277, 1030, 779, 568], 92.4)],
  ['M2 Ultra', llamaBench('M2 Ultra, 76 GPU cores', [2191, 1890, 1595, 1219], 116.1)],
  ['M3 Ultra', llamaBench('M3 Ultra, 80 GPU cores', [2816, 2308, 1880, 1352], 115.5)],
])

export function publishedSpeeds(chip: string | null): PublishedSpeeds | null {
  return PUBLISHED.get(appleName(chip) ?? '') ?? null
}

/** The published speed for a prompt of nearly this length: within a tenth. */
export function publishedPrompt(published: PublishedSpeeds, depthTokens: number): number | null {
  for (const [tokens, speed] of published.promptPerSecond) {
    if (Math.abs(tokens - depthTokens) <= tokens / 10) return speed
  }
  return null
}

function llamaBench(machine: string, prompts: readonly number[], tg128: number): PublishedSpeeds {
  const byTokens = prompts.map((speed, index): [number, number] => [
    LLAMA_BENCH_PROMPTS[index] ?? 0,
    speed,
  ])
  return {
    machine,
    source: LLAMA_BENCH,
    promptPerSecond: new Map(byTokens),
    generatedPerSecond: tg128,
  }
}

/** `Apple M4 Max` to `M4 Max`; null for any other maker. */
function appleName(chip: string | null): string | null {
  return /^Apple (M\d+(?: (?:Pro|Max|Ultra))?)$/.exec(chip ?? '')?.[1] ?? null
}
