/** What the doctor found, as the lines a person reads, or for a program. Pure. */
import type { Examined } from './doctor/part.ts'
import type { Paint } from './paint.ts'

export type ExaminedPart = Examined & { readonly name: string }

export function renderDoctor(parts: readonly ExaminedPart[], paint: Paint): readonly string[] {
  const count = parts.reduce((sum, { findings }) => sum + findings.length, 0)
  return [...parts.flatMap((part) => partLines(part, paint)), '', summary(count, paint)]
}

function partLines({ name, state, findings }: ExaminedPart, paint: Paint): readonly string[] {
  const mark = findings.length === 0 ? paint.good('ok') : paint.bad('wrong')
  return [
    `${paint.strong(name)}  ${mark}: ${state}`,
    ...findings.flatMap(({ what, why, mend }) => [
      `  ${paint.bad('-')} ${what}`,
      `    ${paint.dim(`seen: ${why}`)}`,
      `    mend: ${mend}`,
    ]),
  ]
}

function summary(count: number, paint: Paint): string {
  if (count === 0) return paint.good('All is well')
  return `${count} ${count === 1 ? 'thing is' : 'things are'} wrong; the commands above mend ${count === 1 ? 'it' : 'them'}, the first one first`
}

export function doctorJson(parts: readonly ExaminedPart[]): object {
  const findings = parts.flatMap(({ name, findings: found }) =>
    found.map((finding) => ({ part: name, ...finding })),
  )
  return {
    ok: findings.length === 0,
    parts: parts.map(({ name, state }) => ({ name, state })),
    findings,
  }
}
