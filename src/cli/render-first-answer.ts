/** What `oss20bd up` says at its end: the first answer and what to do next. Pure. */
import { FIRST_QUESTION } from './first-question.ts'

export interface FirstAnswer {
  readonly url: string
  readonly model: string
  readonly testModel: boolean
  /** Why the test model serves, when nobody asked for it. */
  readonly reason: string | null
  readonly answer: string
  /** Run by npm in a checkout, where `oss20bd` is not in the PATH. */
  readonly byNpm: boolean
}

export function renderFirstAnswer(told: FirstAnswer): readonly string[] {
  const { url, model, answer, byNpm } = told
  const program = byNpm ? 'bin/oss20bd' : 'oss20bd'
  const question = `{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}`
  return [
    '',
    `Question: ${FIRST_QUESTION}`,
    `Answer:   ${answer}`,
    '',
    ...testModelLines(told, program),
    `Running in the background: ${url}/v1`,
    '',
    'Ask it yourself:',
    `  curl ${url}/v1/chat/completions -H 'content-type: application/json' -d '${question}'`,
    '',
    'What next:',
    `  ${program} status   how it is`,
    `  ${program} logs -f  what happens`,
    `  ${(byNpm ? 'npm stop' : 'oss20bd stop').padEnd(`${program} status`.length)}   stop it`,
  ]
}

/** The test model is never passed off as the real one. */
function testModelLines(
  { testModel, reason, model }: FirstAnswer,
  program: string,
): readonly string[] {
  if (!testModel) return []
  return [
    `This is the built-in test model: fixed words, NOT ${model}`,
    ...(reason === null ? [] : [`Why: ${reason}`]),
    `Get the real one: ${program} up --no-test-model`,
    '',
  ]
}

export interface Versions {
  readonly daemon: string
  readonly own: string
  readonly isService: boolean
  readonly byNpm: boolean
}

/** What to say when the daemon that answered is of another version than this program; null when it is the same. */
export function otherVersion({ daemon, own, isService, byNpm }: Versions): string | null {
  if (daemon === own) return null
  const program = byNpm ? 'bin/oss20bd' : 'oss20bd'
  const change = isService ? `${program} install` : `${program} stop && ${program} start`
  return `The daemon that runs is version ${daemon}, this program is ${own}. To change to it: ${change}`
}
