/** Checks `-n`. Pure. */
import { Oss20bdError } from '../errors.ts'

const MAX_LINES = 100_000

/** The count as it is. Throws `usage`. */
export function checkLineCount(count: number, command: string): number {
  if (Number.isInteger(count) && count >= 0 && count <= MAX_LINES) return count
  throw new Oss20bdError(
    'usage',
    `Cannot show that many lines: -n must be a whole number from 0 to ${MAX_LINES}`,
    { hint: `For example: oss20bd ${command} -n 100` },
  )
}
