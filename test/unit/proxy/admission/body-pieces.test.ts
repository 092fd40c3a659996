import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BodyPieces } from '../../../../src/proxy/admission/body-pieces.ts'

function collect(all: readonly Buffer[]): { pieces: Buffer[]; lengthBytes: number } {
  const body = new BodyPieces()
  for (const bytes of all) body.add(bytes)
  return { lengthBytes: body.lengthBytes, pieces: body.take() }
}

test('a body that comes in one piece is kept as it came', () => {
  const bytes = Buffer.from('small')
  expect(collect([bytes]).pieces[0]).toBe(bytes)
})

test('a body of one-byte chunks is kept in few pieces', () => {
  const { pieces, lengthBytes } = collect(Array.from({ length: 100_000 }, () => Buffer.from('x')))
  expect(lengthBytes).toBe(100_000)
  expect(pieces.length).toBeLessThan(10)
})

test('however it is cut, nothing is lost, doubled or moved', () => {
  const piece = fc.oneof(fc.nat(40), fc.integer({ min: 3000, max: 9000 }))
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (lengths) => {
      let next = 0
      const all = lengths.map((length) =>
        Buffer.from(Uint8Array.from({ length }, () => (next = (next * 7 + 3) % 251))),
      )
      const { pieces, lengthBytes } = collect(all)
      expect(Buffer.concat(pieces).equals(Buffer.concat(all))).toBe(true)
      expect(lengthBytes).toBe(lengths.reduce((sum, length) => sum + length, 0))
    }),
  )
})

test('dropped, it lets go; what was taken before stays', () => {
  const body = new BodyPieces()
  body.add(Buffer.from('one'))
  const taken = body.take()
  body.drop()
  expect(taken).toHaveLength(1)
  expect(body.take()).toHaveLength(0)
})
