/** What is published of a chip: how fast its memory is, and how fast others found gpt-oss-20b on it. Pure. */

export interface ChipMemory {
  readonly bytesPerSecond: number
  readonly source: string
}

/** GB/s; where a chip is sold with two widths of memory, by the cores of its CPU; null where those do not tell. */
type Width = number | ReadonlyMap<number, number> | null

/**
 * As Apple states it where the chip was announced, or in the technical specifications of the Mac named; the months are
 * those of the announcement. Of M1 Apple only says that M2 has half as much again: 68.25 is its LPDDR4X-4266 on 128 bits.
 * M3 Max and M4 Max have less bandwidth with fewer GPU cores, which come with fewer CPU cores; M5 Max has 18 CPU cores
 * with either.
 */
const APPLE: ReadonlyMap<string, readonly [width: Width, source: string]> = new Map<
  string,
  readonly [Width, string]
>([
  ['M1', [68.25, 'LPDDR4X-4266 on 128 bits, November 2020']],
  ['M1 Pro', [200, 'the announcement of M1 Pro and M1 Max, October 2021']],
  ['M1 Max', [400, 'the announcement of M1 Pro and M1 Max, October 2021']],
  ['M1 Ultra', [800, 'the announcement of M1 Ultra, March 2022']],
  ['M2', [100, 'the announcement of M2, June 2022']],
  ['M2 Pro', [200, 'the announcement of M2 Pro and M2 Max, January 2023']],
  ['M2 Max', [400, 'the announcement of M2 Pro and M2 Max, January 2023']],
  ['M2 Ultra', [800, 'the announcement of M2 Ultra, June 2023']],
  ['M3', [100, 'the specifications of MacBook Pro, October 2023']],
  ['M3 Pro', [150, 'the specifications of MacBook Pro, October 2023']],
  ['M3 Max', [byCores([14, 300], [16, 400]), 'the specifications of MacBook Pro, October 2023']],
  ['M3 Ultra', [819, 'the specifications of Mac Studio, March 2025']],
  ['M4', [120, 'the specifications of Mac mini, October 2024']],
  ['M4 Pro', [273, 'the specifications of Mac mini, October 2024']],
  ['M4 Max', [byCores([14, 410], [16, 546]), 'the specifications of Mac Studio, March 2025']],
  ['M5', [153, 'the announcement of M5, October 2025']],
  ['M5 Pro', [307, 'the announcement of M5 Pro and M5 Max, March 2026']],
  ['M5 Max', [null, 'it is sold with 460 and with 614 GB/s, by the cores of its GPU']],
])

function byCores(...widths: readonly (readonly [number, number])[]): ReadonlyMap<number, number> {
  return new Map(widths)
}

/** null for a chip whose memory is not fixed by the chip (PCs) or came after this version of oss20bd. */
export function chipMemory(chip: string | null, cores: number | null): ChipMemory | null {
  const [width, source] = APPLE.get(appleName(chip) ?? '') ?? [null, '']
  const gbPerSecond = typeof width === 'number' ? width : width?.get(cores ?? 0)
  return gbPerSecond === undefined ? null : { bytesPerSecond: gbPerSecond * 1e9, source }
}

/** Why `chipMemory` knows nothing of it. */
export function whyNoMemory(chip: string | null): string {
  if (chip === null) return 'the chip of this machine is not known'
  const [width, reason] = APPLE.get(appleName(chip) ?? '') ?? []
  const what = `the memory bandwidth of ${chip} is not known`
  return width === null ? `${what}: ${reason}` : what
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
