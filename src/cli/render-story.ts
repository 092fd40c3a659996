/** A Story as the lines a person reads: what is, why, what shows it, what to do. Pure. */
import { formatDuration } from '../units.ts'
import { tellingLines } from './journal-evidence.ts'
import type { Story } from './journal-story.ts'
import { printable } from './log-entry.ts'
import type { Paint } from './paint.ts'
import { eventLine, evidenceLine, timeText } from './render-event.ts'

/** Of a longer story the beginning and the end are told. */
const MAX_FIRST_EVENTS = 3
const MAX_LAST_EVENTS = 9

export function renderStory(
  story: Story,
  paint: Paint,
  nowMs: number,
  withAll: boolean,
): readonly string[] {
  return [
    headline(story, paint, nowMs),
    ...section(reasonTitle(story), reasonLines(story, paint, withAll), paint),
    ...evidenceLines(story, paint, withAll),
    ...section(
      story.mood === 'well' ? 'To keep it from happening again' : 'What to do',
      story.hint === null ? [] : [`  ${printable(story.hint)}`],
      paint,
    ),
  ]
}

function headline({ state, since, message }: Story, paint: Paint, nowMs: number): string {
  const dye = dyeOf(state, paint)
  const name = dye(paint.strong(state.replaceAll('-', ' ')))
  return `${name}${sinceText(since, nowMs)}: ${printable(message)}`
}

function sinceText(since: string | null, nowMs: number): string {
  if (since === null) return ''
  const sinceMs = Date.parse(since)
  const forText = formatDuration(Math.max(0, nowMs - sinceMs))
  return ` for ${forText}, since ${timeText(sinceMs)}`
}

function dyeOf(state: string, paint: Paint): (text: string) => string {
  if (state === 'ready' || state === 'asleep') return paint.good
  return ['starting', 'stopping', 'down', 'not-running'].includes(state) ? paint.warn : paint.bad
}

function reasonTitle({ mood, state, since, story }: Story): string {
  // Nobody knows why: what is told need not be the reason.
  const isUnexplained = since === null && (state === 'silent' || state === 'not-running')
  if (mood === 'trouble') return isUnexplained ? 'What happened before' : 'Why'
  if (mood === 'reduced' && story[0]?.kind === 'memory') {
    return 'It answers, and makes do with less for the sake of the machine'
  }
  const how = mood === 'well' ? 'All is well' : 'It answers, with less than was asked for'
  return story.length === 0 ? how : `${how}. The last stop`
}

function reasonLines({ mood, story, sums }: Story, paint: Paint, withAll: boolean): string[] {
  if (mood === 'well' && story.length === 0) return ['  The journal knows of no stop']
  const left = withAll ? 0 : Math.max(0, story.length - MAX_FIRST_EVENTS - MAX_LAST_EVENTS)
  const first = left === 0 ? story : story.slice(0, MAX_FIRST_EVENTS)
  const last = left === 0 ? [] : story.slice(-MAX_LAST_EVENTS)
  return [
    ...first.map((event) => `  ${eventLine(event, paint)}`),
    ...(left === 0 ? [] : [paint.dim(`  ... ${left} more (oss20bd why --all)`)]),
    ...last.map((event) => `  ${eventLine(event, paint)}`),
    ...sums.map((sum) => `  ${sum}`),
  ]
}

function evidenceLines({ evidence }: Story, paint: Paint, withAll: boolean): readonly string[] {
  const shown = withAll ? evidence : tellingLines(evidence)
  const title =
    shown.length === evidence.length
      ? 'Evidence'
      : `Evidence, ${shown.length} of ${evidence.length} lines (all: oss20bd why --all)`
  return section(
    title,
    shown.map((line) => evidenceLine(line, paint)),
    paint,
  )
}

/** Nothing at all when there is nothing to say. */
function section(title: string, lines: readonly string[], paint: Paint): readonly string[] {
  return lines.length === 0 ? [] : ['', paint.strong(title), ...lines]
}
