import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { maxLineLength, onEachLine } from '../../../src/supervisor/lines.ts'

async function linesOf(chunks: readonly Buffer[]): Promise<string[]> {
  const stream = new PassThrough()
  const lines: string[] = []
  onEachLine(stream, (line) => lines.push(line))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await finished(stream)
  return lines
}

test('lines come out whole however the bytes are cut', async () => {
  const text = 'ein\nzwei ü\n\n日本語 🦙\nlast'
  const bytes = Buffer.from(text)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length })), async (cuts) => {
      const sorted = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      const chunks = sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end))
      expect(await linesOf(chunks)).toEqual(text.split('\n'))
    }),
  )
})

test('a line without end is cut and the rest of it dropped', async () => {
  const long = Buffer.alloc(5 * maxLineLength, 'x')
  const lines = await linesOf([long, long, Buffer.from('tail\nnext\n')])
  expect(lines).toEqual(['x'.repeat(maxLineLength), 'next'])
})
