import { expect, test } from 'vitest'
import { WriteBehind } from '../../../../src/model/download/write-behind.ts'

const MIB = 2 ** 20

/** Bytes of which no two places within 64 KiB are alike. */
function numbered(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(at, at)
  return bytes
}

test('pieces of any size come to their places, from where the range begins', async () => {
  const content = numbered(5 * MIB + 1234)
  const file = Buffer.alloc(content.length + 100)
  const behind = new WriteBehind((bytes, position) => {
    bytes.copy(file, position)
    return Promise.resolve()
  }, 100)
  let at = 0
  for (const length of [1, 70_000, 3 * MIB, MIB - 70_001, 17, MIB, MIB]) {
    await behind.add(content.subarray(at, at + length))
    at = Math.min(content.length, at + length)
    expect(behind.position).toBe(100 + at)
  }
  await behind.flush()
  expect(file.subarray(100).equals(content)).toBe(true)
})

test('a block is not touched while it is written, and one more is taken meanwhile', async () => {
  const content = numbered(3 * MIB)
  const written: { readonly bytes: Buffer; readonly end: () => void }[] = []
  const behind = new WriteBehind(
    (bytes) => new Promise<void>((resolve) => written.push({ bytes, end: resolve })),
    0,
  )
  await behind.add(content.subarray(0, 2 * MIB - 1))
  expect(written).toHaveLength(1)
  expect(written[0]?.bytes.equals(content.subarray(0, MIB))).toBe(true)
  // The second block is full now: this one waits for the disk.
  const waiting = behind.add(content.subarray(2 * MIB - 1))
  expect(written[0]?.bytes.equals(content.subarray(0, MIB))).toBe(true)
  written[0]?.end()
  await expect.poll(() => written.length).toBe(2)
  expect(written[1]?.bytes.equals(content.subarray(MIB, 2 * MIB))).toBe(true)
  written[1]?.end()
  await waiting
  const flushed = behind.flush()
  await expect.poll(() => written.length).toBe(3)
  written[2]?.end()
  await flushed
  expect(written[2]?.bytes.equals(content.subarray(2 * MIB))).toBe(true)
})

test('what the disk refuses is told to the next who comes, and at the end', async () => {
  const behind = new WriteBehind(() => Promise.reject(new Error('no space left')), 0)
  await behind.add(Buffer.alloc(MIB))
  await expect(behind.add(Buffer.alloc(MIB))).rejects.toThrow('no space left')
  await expect(behind.flush()).rejects.toThrow('no space left')
})
