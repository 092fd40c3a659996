/** What real systems printed, and ways to spoil it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'

/** Captured on Macs; the names tell the machine and the system. */
export function capture(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/macos', name), 'utf8')
}

/** `text` cut after any character. */
export function cuts(text: string): fc.Arbitrary<string> {
  return fc.nat(text.length).map((length) => text.slice(0, length))
}

/** What a tool gone mad might print. */
export function garbage(maxLength = 300): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('utf8'))
}

/** Parts of it left out, repeated, exchanged with others or with anything. */
export function spoilt(text: string): fc.Arbitrary<string> {
  const place = fc.nat(text.length)
  const change = fc.record({
    start: place,
    length: fc.nat(40),
    put: fc.oneof(
      fc.constant(''),
      garbage(30),
      fc.constantFrom('-', '18446744072001552384', '9'.repeat(400), '0', '\n', ',', 'NaN', '%'),
      place.map((start) => text.slice(start, start + 40)),
    ),
  })
  return fc
    .array(change, { minLength: 1, maxLength: 6 })
    .map((changes) =>
      changes.reduce(
        (soFar, { start, length, put }) =>
          soFar.slice(0, start) + put + soFar.slice(start + length),
        text,
      ),
    )
}

/** The lines after the first `kept` in any order. */
export function shuffled(text: string, kept = 0): fc.Arbitrary<string> {
  const lines = text.split('\n').slice(0, -1)
  const rest = lines.slice(kept)
  return fc
    .shuffledSubarray(rest, { minLength: rest.length, maxLength: rest.length })
    .map((order) => [...lines.slice(0, kept), ...order, ''].join('\n'))
}

/** Every number in it, however deep. */
export function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap((part) => numbersIn(part))
}

/** Whether each part of `less` is what `all` has there, or null. */
export function isPartOf(less: unknown, all: unknown): boolean {
  if (less === null || less === undefined) return true
  if (typeof less !== 'object') return less === all
  if (typeof all !== 'object' || all === null) return false
  const whole = new Map<string, unknown>(Object.entries(all))
  return Object.entries(less).every(([name, part]) => isPartOf(part, whole.get(name)))
}
