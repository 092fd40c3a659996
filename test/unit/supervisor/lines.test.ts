import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  linesPerTurn,
  maxLineBytes,
  maxWaitingBytes,
  onEachLine,
  type LineReader,
} from '../../../src/supervisor/lines.ts'
import { settle } from '../../helpers/fake-clock.ts'

interface Scene {
  readonly stream: PassThrough
  readonly lines: string[]
  readonly reader: LineReader
  readonly droppedBytes: () => number
}

function scene(): Scene {
  const stream = new PassThrough({ highWaterMark: 2 ** 30 })
  const lines: string[] = []
  let dropped = 0
  const reader = onEachLine(stream, {
    onLine: (line) => lines.push(line),
    onDropped: (bytes) => (dropped += bytes),
  })
  return { stream, lines, reader, droppedBytes: () => dropped }
}

async function linesOf(chunks: readonly Buffer[]): Promise<string[]> {
  const { stream, lines } = scene()
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await finished(stream)
  await settle()
  return lines
}

describe('lines', () => {
  test('come out whole however the bytes are cut', async () => {
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

  test('without end are cut and the rest of them dropped', async () => {
    const long = Buffer.alloc(5 * maxLineBytes, 'x')
    const lines = await linesOf([long, long, Buffer.from('tail\nnext\n')])
    expect(lines).toEqual(['x'.repeat(maxLineBytes), 'next'])
  })

  test('too long within one piece are cut too', async () => {
    const lines = await linesOf([Buffer.from(`${'y'.repeat(maxLineBytes + 1)}\nnext\n`)])
    expect(lines).toEqual(['y'.repeat(maxLineBytes), 'next'])
  })

  test.each([0, 1, 2, 3])(
    'are never cut within a character (%d bytes before it)',
    async (shift) => {
      const [line = ''] = await linesOf([Buffer.from(`${'x'.repeat(shift)}${'🦙'.repeat(9000)}\n`)])
      expect(line).toBe('x'.repeat(shift) + '🦙'.repeat(Math.floor((maxLineBytes - shift) / 4)))
    },
  )

  test('of garbage are bounded and stop nothing', async () => {
    const garbage = Buffer.alloc(100_000, 0b1000_0000)
    const lines = await linesOf([garbage, Buffer.from('\n\u0000\u0000a\u0000\nnext\n')])
    expect(lines.map((line) => line.length)).toEqual([maxLineBytes, 4, 4])
    expect(lines.at(-1)).toBe('next')
  })

  test('that only carriage returns part are one line', async () => {
    expect(await linesOf([Buffer.from('1 %\r2 %\r3 %\r\ndone\r\n')])).toEqual([
      '1 %\r2 %\r3 %\r',
      'done\r',
    ])
  })
})

describe('a flood', () => {
  test('is told in turns, so that everything else has its own', async () => {
    const { stream, lines } = scene()
    stream.write('line\n'.repeat(10 * linesPerTurn))
    expect(lines.length).toBe(linesPerTurn)
    await new Promise(setImmediate)
    expect(lines.length).toBeLessThanOrEqual(2 * linesPerTurn)
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
    expect(lines.length).toBe(10 * linesPerTurn)
  })

  test('too large to keep loses its older part, says how much, and keeps its end', async () => {
    const { stream, lines, droppedBytes } = scene()
    const piece = Buffer.from('0123456789abcde\n'.repeat(4096))
    const bytes = 3 * maxWaitingBytes
    for (let sent = 0; sent < bytes; sent += piece.length) stream.write(piece)
    stream.end('the end\n')
    await finished(stream)
    for (let turn = 0; turn <= maxWaitingBytes / 16 / linesPerTurn; turn += 1) {
      await new Promise(setImmediate)
    }
    expect(lines.at(-1)).toBe('the end')
    expect(new Set(lines)).toEqual(new Set(['0123456789abcde', 'the end']))
    const toldBytes = (lines.length - 1) * 16
    expect(toldBytes).toBeLessThanOrEqual(maxWaitingBytes + piece.length)
    expect(toldBytes + droppedBytes()).toBe(bytes)
  })

  test('that loses the beginning of a line loses the rest of that line', async () => {
    const { stream, lines } = scene()
    stream.write('line\n'.repeat(linesPerTurn))
    const piece = Buffer.alloc(2 ** 20, 'x')
    for (let sent = 0; sent <= maxWaitingBytes; sent += piece.length) stream.write(piece)
    stream.end('rest of x\nnext\n')
    await finished(stream)
    await settle()
    expect(lines.slice(linesPerTurn)).toEqual(['next'])
  })
})

describe('the last lines', () => {
  test('are there before they are told, also one without an end', async () => {
    const { stream, reader, lines } = scene()
    stream.write(`${'line\n'.repeat(linesPerTurn)}then this\nSegmentation fa`)
    expect(lines.length).toBe(linesPerTurn)
    expect(reader.lastLines()).toEqual(['then this', 'Segmentation fa'])
    await settle()
    expect(reader.lastLines()).toEqual(['Segmentation fa'])
  })

  test('of much are few and whole', () => {
    const { stream, reader } = scene()
    stream.write('a line of some length\n'.repeat(100_000))
    const lines = reader.lastLines()
    expect(lines.length).toBeLessThan(4000)
    expect(new Set(lines)).toEqual(new Set(['a line of some length']))
  })

  test('do not hold the rest of a line that was told as far as it goes', async () => {
    const { stream, reader } = scene()
    stream.write(Buffer.alloc(2 * maxLineBytes, 'x'))
    await settle()
    stream.write('rest')
    expect(reader.lastLines()).toEqual([])
  })
})

test('a muted stream is read on and not told', async () => {
  const { stream, lines, reader } = scene()
  stream.write('one\n')
  reader.mute()
  stream.write('two\n'.repeat(100_000))
  await settle()
  expect(lines).toEqual(['one'])
  expect(stream.readableLength).toBe(0)
})
