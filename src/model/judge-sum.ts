/** What the checksum of a model file means. Pure. */
import type { Origin } from './origin.ts'

export interface SumVerdict {
  /** `unknown`: there is nothing to hold it against. */
  readonly kind: 'good' | 'changed' | 'unknown'
  readonly text: string
  readonly hint: string | null
}

export interface SumFacts {
  readonly sha256: string
  /** What the person says it must be. */
  readonly wanted: string | null
  /** The name of the known model that has this sum. */
  readonly known: string | null
  readonly origin: Origin | null
}

/** What a person asks for decides; then what is published; then what was noted when it was got. */
export function judgeSum({ sha256, wanted, known, origin }: SumFacts): SumVerdict {
  if (wanted !== null && wanted !== sha256) {
    return { kind: 'changed', text: `another than the one given, ${wanted}`, hint: GET_AGAIN }
  }
  if (known !== null) return good(`the published one of ${known}`)
  if (wanted !== null) return good('the one given')
  if (origin === null) {
    const hint = 'Hold it against the page it came from: oss20bd verify FILE --sha256 SUM'
    return {
      kind: 'unknown',
      text: 'nobody told what it must be; a model of ours is checked against it from now on',
      hint,
    }
  }
  if (origin.sha256 === sha256) {
    const when = origin.at.slice(0, 10)
    return good(
      origin.checked === 'published'
        ? `the published one, as when it was downloaded (${when})`
        : `the same as at the first look (${when})`,
    )
  }
  const text = `it must be ${origin.sha256}: the file has changed since ${origin.at.slice(0, 10)}`
  return { kind: 'changed', text, hint: GET_AGAIN }
}

const GET_AGAIN =
  'Download it again: oss20bd pull gets gpt-oss-20b; check the disk and the memory of this machine'

function good(text: string): SumVerdict {
  return { kind: 'good', text, hint: null }
}
