/** What the doctor found, as the lines a person reads, or for a program. Pure. */
import type { Finding } from '../finding.ts'
import type { ExaminedPart } from './doctor/examine.ts'
import type { Paint } from './paint.ts'
import { padToWidth, widthOf } from './text-width.ts'

/** What is well first, what is wrong last: the end of a long text is what a terminal shows. */
const GRADES = ['ok', 'worse', 'wrong'] as const
type Grade = (typeof GRADES)[number]

export function gradeOf(findings: readonly Pick<Finding, 'degree'>[]): Grade {
  if (findings.some(({ degree }) => degree !== 'worse')) return 'wrong'
  return findings.length === 0 ? 'ok' : 'worse'
}

/** Green to red; within a colour in the order in which things are mended. */
export function byGrade(parts: readonly ExaminedPart[]): readonly ExaminedPart[] {
  return GRADES.flatMap((grade) => parts.filter(({ findings }) => gradeOf(findings) === grade))
}

/** `width`: of the terminal, in columns. */
export function renderDoctor(
  parts: readonly ExaminedPart[],
  paint: Paint,
  width: number,
): readonly string[] {
  const sorted = byGrade(parts)
  return [
    ...sorted.flatMap((part) => partLines(part, paint, width)),
    '',
    ...summary(sorted, paint, width),
  ]
}

const GRADE_WIDTH = 7
const NAME_WIDTH = 9
/** The least that is left for the text beside a name. */
const NARROWEST = 20

/** What is wrong stands in place of what was looked at: for many troubles at once one screen is little. */
function partLines(
  { name, state, findings }: ExaminedPart,
  paint: Paint,
  width: number,
): readonly string[] {
  const grade = gradeOf(findings)
  const dye = dyeOf(grade, paint)
  const worst = findings.find(({ degree }) => degree !== 'worse')
  const rest = findings.filter((finding) => finding !== worst)
  const head = `${dye(padToWidth(grade, GRADE_WIDTH))}${paint.strong(padToWidth(name, NAME_WIDTH))}`
  const text = indented(worst?.what ?? state, GRADE_WIDTH + NAME_WIDTH, width)
  const plain = worst === undefined ? (line: string): string => line : dye
  return [
    ...text.map((line, index) => (index === 0 ? head + plain(line.trimStart()) : plain(line))),
    ...(worst === undefined ? [] : howLines(worst, paint, width)),
    ...rest.flatMap((finding) => findingLines(finding, paint, width)),
  ]
}

function findingLines(finding: Finding, paint: Paint, width: number): readonly string[] {
  const dye = dyeOf(finding.degree ?? 'wrong', paint)
  return [
    ...indented(finding.what, 2, width).map((line) => dye(line)),
    ...howLines(finding, paint, width),
  ]
}

function howLines({ why, mend }: Finding, paint: Paint, width: number): readonly string[] {
  return [
    ...indented(`seen: ${why}`, 2, width).map((line) => paint.dim(line)),
    // Never broken: it is to be copied.
    `  mend: ${paint.code(mend)}`,
  ]
}

function dyeOf(grade: Grade, paint: Paint): (text: string) => string {
  return { ok: paint.good, worse: paint.warn, wrong: paint.bad }[grade]
}

function summary(parts: readonly ExaminedPart[], paint: Paint, width: number): readonly string[] {
  const findings = parts.flatMap((part) => part.findings)
  const wrong = findings.filter(({ degree }) => degree !== 'worse').length
  const worse = findings.length - wrong
  if (findings.length === 0) return [paint.good('All is well')]
  const counted = [
    ...(wrong === 0 ? [] : [`${wrong} wrong`]),
    ...(worse === 0 ? [] : [`${worse} could be better`]),
  ].join(', ')
  const first = wrong > 1 ? ', the first red one first' : ''
  const text = `${counted}. Run what stands behind "mend:"${first}, then look again: oss20bd doctor`
  return indented(text, 0, width)
}

/** Lines no wider than the terminal, broken between words; a word that is wider stays whole. */
function indented(text: string, indent: number, width: number): readonly string[] {
  const room = Math.max(NARROWEST, width - indent)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && widthOf(longer) > room) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each)
}

export function doctorJson(parts: readonly ExaminedPart[]): object {
  const findings = parts.flatMap(({ name, findings: found }) =>
    found.map((finding) => ({
      part: name,
      degree: finding.degree ?? 'wrong',
      id: finding.id,
      what: finding.what,
      why: finding.why,
      mend: finding.mend,
    })),
  )
  return {
    ok: findings.every(({ degree }) => degree === 'worse'),
    parts: parts.map(({ name, state }) => ({ name, state })),
    findings,
  }
}
