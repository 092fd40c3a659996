/** What the tests of the doctor's parts look at. */
import type { Finding } from '../../../../src/finding.ts'

/** Id to mending command of each finding. */
export function mends(findings: readonly Finding[]): Record<string, string> {
  return Object.fromEntries(findings.map(({ id, mend }) => [id, mend]))
}
