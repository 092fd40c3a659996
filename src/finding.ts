/** Something that is wrong: what, how that is known, and the one command that mends it. Types only. */

export interface Finding {
  /** A stable word for programs: `not-loaded`. */
  readonly id: string
  readonly what: string
  /** What was seen. */
  readonly why: string
  /** A command for a shell. */
  readonly mend: string
  /** It works, and less well than it could. Without it: something does not work. */
  readonly degree?: 'worse'
}

/** Says from what was gathered whether this one thing is wrong. Pure. */
export type Judge<Facts> = (facts: Facts) => Finding | null

/** Everything that is wrong, in the order of the judges. Pure. */
export function judgeAll<Facts>(judges: readonly Judge<Facts>[], facts: Facts): readonly Finding[] {
  return judges.flatMap((judge) => judge(facts) ?? [])
}
