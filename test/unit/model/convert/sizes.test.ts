/** Disk and memory of a conversion, held against files that were converted for real. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  convertedBytes,
  convertMemoryBytes,
  quantizedBytesAtMost,
  quantizeMemoryBytes,
} from '../../../../src/model/convert/sizes.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
const square = { name: 'q_proj.weight', shape: [4096, 4096], bytes: 4096 * 4096 * 2 }
const norm = { name: 'norm.weight', shape: [4096], bytes: 8192 }
/** 64,000 tokens of 4096, as in the model whose conversion was measured. */
const embedding = { name: 'embed.weight', shape: [64_000, 4096], bytes: 64_000 * 4096 * 2 }

describe('convertedBytes', () => {
  it.each([
    ['F16', 4096 * 4096 * 2],
    ['AUTO', 4096 * 4096 * 2],
    ['F32', 4096 * 4096 * 4],
    ['Q8_0', (4096 * 4096 * 34) / 32],
  ])('%s: matrices by their bits, vectors as F32', (type, bytes) => {
    expect(convertedBytes([square, norm], type)).toBe(16 * MIB + bytes + 4096 * 4)
  })

  it('takes the packed experts of gpt-oss over as they are', () => {
    const packed = { name: 'mlp.experts.down_proj_blocks', shape: [32, 90, 16], bytes: 46_080 }
    expect(convertedBytes([packed], 'Q8_0')).toBe(16 * MIB + 46_080)
  })
})

describe('quantizedBytesAtMost', () => {
  it.each([
    // Llama 3 8B: what llama-quantize lists for it beside 14.96 GiB in 16 bits.
    ['Q4_K_M', 4.58],
    ['Q5_K_M', 5.33],
    ['Q6_K', 6.14],
    ['Q3_K_L', 4.03],
    ['Q2_K', 2.96],
    ['IQ4_XS', 4.17],
  ])('%s is more than it takes, and not twice as much', (type, gib) => {
    const most = quantizedBytesAtMost(14.96 * GIB, type)
    expect(most).toBeGreaterThan(gib * GIB)
    expect(most).toBeLessThan(2 * gib * GIB)
  })

  it('is never more than the file it is made of', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom('Q4_0', 'F16', 'COPY', 'Q8_0', 'IQ1_S'),
        (bytes, type) => {
          expect(quantizedBytesAtMost(bytes, type)).toBeLessThanOrEqual(bytes)
        },
      ),
    )
  })
})

describe('memory', () => {
  it('covers what the converter was measured to take with a matrix of 262 million numbers', () => {
    const measuredBytes = 2_623_104 * 1024
    const told = convertMemoryBytes([embedding, square, norm])
    expect(told).toBeGreaterThan(measuredBytes)
    expect(told).toBeLessThan(1.5 * measuredBytes)
  })

  it('counts experts that are joined as one', () => {
    const expert = (index: number) => ({ ...square, name: `layers.0.experts.${index}.up.weight` })
    const one = convertMemoryBytes([expert(0)])
    const eight = convertMemoryBytes(Array.from({ length: 8 }, (_, index) => expert(index)))
    expect(eight - one).toBe(7 * (square.bytes + 4096 * 4096 * 6))
  })

  it('of llama-quantize is bounded when it can be told so', () => {
    expect(quantizeMemoryBytes([embedding], true)).toBe(256 * MIB + GIB)
    expect(quantizeMemoryBytes([norm], true)).toBe(256 * MIB + 8192 + 4096 * 6)
    expect(quantizeMemoryBytes([embedding], false)).toBe(256 * MIB + embedding.bytes * 4)
  })
})
