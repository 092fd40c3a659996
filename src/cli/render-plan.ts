/** What an install or uninstall would do, as lines for a person or as JSON. Pure. */
import type { Plan } from '../service/service.ts'
import { stepBody, stepLine } from '../service/step-text.ts'
import type { Step } from '../service/step.ts'

/** Every step in order, with the text of each file; then what would put it back. */
export function renderPlan({ steps, undo }: Plan): readonly string[] {
  const undone = undo.length === 0 ? [] : ['', 'If a step fails, what was there is put back:']
  return [...steps.flatMap(lines), ...undone, ...undo.map((step) => `  ${stepLine(step)}`)]
}

function lines(step: Step): readonly string[] {
  return [stepLine(step), ...stepBody(step).map((line) => `    ${line}`)]
}

/** The same for a program. */
export function planJson({ verb, steps, undo }: Plan): unknown {
  return { verb, steps: steps.map(stepJson), undo: undo.map(stepJson) }
}

function stepJson(step: Step): unknown {
  const text = step.kind === 'write-file' ? { path: step.path, text: step.text } : {}
  const command = 'command' in step ? { command: step.command } : {}
  return { kind: step.kind, line: stepLine(step), ...command, ...text }
}
