import { expect, test } from 'vitest'
import { chipMemory, publishedSpeeds } from '../../../../src/cli/bench/chips.ts'
import type { BenchFigures } from '../../../../src/cli/bench/figures.ts'
import { compare } from '../../../../src/cli/bench/history.ts'
import { plotBench } from '../../../../src/cli/bench/plot.ts'
import { renderBench, type ShownBench } from '../../../../src/cli/bench/render-bench.ts'
import { expectations } from '../../../../src/cli/bench/verdict.ts'
import { NO_PAINT } from '../../../../src/cli/paint.ts'
import { widthOf } from '../../../../src/cli/text-width.ts'
import { depth, sampleFigures } from './sample-figures.ts'

const bytes = { expertBytes: 1.27e9, sharedBytes: 1.3e9, cacheBytes: 0, totalBytes: 2.57e9 }

function shown(figures: BenchFigures, before: BenchFigures | null = null): ShownBench {
  const { chip, cores } = figures.machine
  const known = {
    memory: chipMemory(chip, cores),
    published: publishedSpeeds(chip),
    bytesAt: () => bytes,
  }
  const comparison = before && compare(before, figures)
  return { figures, expected: expectations(figures, known), comparison }
}

const render = (bench: ShownBench, width = Infinity) => renderBench(bench, NO_PAINT, width)

test('shows speeds, their limits and where the limits come from', () => {
  expect(render(shown(sampleFigures())).join('\n')).toMatchInlineSnapshot(`
    "gpt-oss-20b: Apple M4 Max, 36.0 GiB, context 32768, engine 0.5.0
    Medians of 3 rounds, 128 tokens generated each time

    PROMPT  READ/S  PUBLISHED  WRITE/S  ROOFLINE  OF IT   COLD   WARM  DIRECT COLD  DIRECT WARM  DIRECT WRITE/S
      2051    1200       1277     90.0       160   56 %  1.7 s  60 ms        1.6 s        57 ms            90.5
      8195    1000       1030     80.0       160   50 %  1.7 s  60 ms        1.6 s        57 ms            90.5
    READ, WRITE: tokens per second; COLD, WARM: time to the first token

    AT ONCE  WRITE/S IN ALL  SLOWEST FIRST TOKEN
          2            88.0                2.9 s
    The engine works on one request at a time (model.slots); the others wait in the queue

    Memory: the engine took at most 12.0 GiB; at least 9.0 GiB stayed available
    Roofline: memory bandwidth / bytes read per token, which are experts x used / all + attention, norms and output + KV cache; 410 GB/s by the specifications of Mac Studio, March 2025; 2.4 GiB per token behind the first prompt
    Published for M4 Max, 36 GB: 92.4 written per second, and read as in the table, in steps of 2048 tokens where oss20bd takes 512 (https://github.com/ggml-org/llama.cpp/discussions/15396)
    History: the first run with this model and context on this machine"
  `)
})

test('says what is not known, and leaves the columns for it out', () => {
  const text = render(
    shown(
      sampleFigures({
        machine: { chip: null, cores: null, memoryBytes: 2 ** 34 },
        depths: [depth(2048, { generatedPerSecond: null })],
        memory: { peakFootprintBytes: null, leastAvailableBytes: null, looks: 0 },
        engineVersion: null,
      }),
    ),
  ).join('\n')
  expect(text).toContain('Roofline: not known, because the chip of this machine is not known')
  expect(text).toContain('the engine took at most unknown')
  expect(text).not.toMatch(/ROOFLINE|PUBLISHED|null|NaN/u)
})

test('says what became slower since the last run', () => {
  const now = sampleFigures({ depths: [depth(2048, { generatedPerSecond: 60 })] })
  const text = render(shown(now, sampleFigures())).join('\n')
  expect(text).toContain(
    'Slower than the run of 2026-11-20 08:30 UTC (engine 0.5.0, oss20bd 0.1.0)',
  )
  expect(text).toContain('generation behind 2048 tokens: 60.0 per second, was 90.0 (-33 %)')
})

test('the tables fit into a narrow terminal', () => {
  const lines = render(shown(sampleFigures()), 40)
  const tables = lines.filter((line) => /^ *(?:PROMPT|AT ONCE|\d+ )/u.test(line))
  expect(tables.length).toBeGreaterThan(3)
  expect(Math.max(...tables.map(widthOf))).toBeLessThanOrEqual(40)
})

test('the plot holds every series, and nothing from outside', () => {
  const svg = plotBench(shown(sampleFigures()))
  for (const name of ['port', 'direct', 'roofline', 'published']) expect(svg).toContain(`>${name}<`)
  expect(svg).not.toMatch(/NaN|Infinity|undefined|null|href|url\(|<script/u)
  expect(svg.match(/<polyline/gu)).toHaveLength(7)
})

test('a name is text in the plot, whatever it holds', () => {
  const model = { name: '<script>&"\u0007日本', sizeBytes: 1, testModel: false }
  const svg = plotBench(shown(sampleFigures({ model, depths: [] })))
  expect(svg).toContain('&lt;script&gt;&amp;&quot; 日本')
  expect(svg).not.toContain('\u0007')
})
