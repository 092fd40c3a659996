/** Whether an answer is the one that an engine without faults would have given. Pure. */
import { readAnswer } from './chaos-reading.mjs'

/** How many tokens the answer has that the others are measured by. */
export const SAMPLE_TOKENS = 64

/**
 * `sample` is what the engine itself answered to the same question with SAMPLE_TOKENS; `outcome` is what came
 * over the port; `cuts` is how many engines died while it was open.
 * `verdict`: `whole`, `broken` (and said to be) or `off`, with the reason.
 */
export function judge(kind, tokens, sample, outcome, cuts) {
  const off = (why) => ({ verdict: 'off', why, continuations: 0 })
  const { status, ended, body } = outcome
  if (ended === 'timeout') return off('lost: no end within the time')
  if (status === null) return off(`no answer: ${ended}`)
  if (status !== 200) return off(`status ${status}: ${body.toString('utf8').slice(0, 300)}`)
  if (ended !== 'end') return off(`the connection broke: ${ended}`)
  let told
  try {
    told = readAnswer(kind.api, kind.isStream, body)
  } catch (error) {
    return off(`unreadable: ${error.message}`)
  }
  const { continuations } = told
  const wanted = wantedOf(kind, tokens, sample)
  const isBroken = told.errors.length > 0
  const why = isBroken ? brokenFault(kind, told, wanted, cuts) : wholeFault(told, wanted)
  return { verdict: why === null ? (isBroken ? 'broken' : 'whole') : 'off', why, continuations }
}

/** The sample, with as much more counted as more was asked for. */
function wantedOf({ api, counts }, tokens, sample) {
  // Each token of the question is one of its bytes.
  if (api === 'tokenize') {
    return { ...sample, other: JSON.stringify({ tokens: [...Buffer.from(`#${tokens}`)] }) }
  }
  const more = tokens - SAMPLE_TOKENS
  const choices = new Map()
  for (const [index, choice] of sample.choices) {
    const counted = choice[counts]
    choices.set(index, { ...choice, [counts]: digits(counted.length + more) })
  }
  // Of several choices the engine counts one.
  const generatedTokens = sample.generatedTokens + more
  return { ...sample, choices, generatedTokens }
}

export function digits(length) {
  return '0123456789'.repeat(Math.ceil(length / 10)).slice(0, length)
}

function wholeFault(told, wanted) {
  if (told.ends !== wanted.ends) return `${told.ends} ends`
  if (told.late > 0) return 'events after its end'
  if (told.openings !== wanted.openings) return `${told.openings} beginnings`
  if (told.ids.size !== wanted.ids.size) return `${told.ids.size} ids: ${[...told.ids].join(' ')}`
  if (told.other !== wanted.other) return `${told.other} and not ${wanted.other}`
  if (told.choices.size !== wanted.choices.size) return `${told.choices.size} choices`
  for (const [index, choice] of wanted.choices) {
    const why = choiceFault(told.choices.get(index), choice, told.wholes)
    if (why !== null) return `choice ${index}: ${why}`
  }
  for (const name of ['promptTokens', 'generatedTokens']) {
    if (told[name] !== wanted[name]) return `${name} ${told[name]} and not ${wanted[name]}`
  }
  return null
}

function choiceFault(choice, wanted, wholes) {
  if (choice === undefined) return 'nothing of it'
  for (const name of ['reasoning', 'content']) {
    if (choice[name] !== wanted[name]) return textFault(name, choice[name], wanted[name])
    const other = [...wholes[name]].find((text) => text !== choice[name])
    if (other !== undefined) return textFault(`${name} of the closing event`, other, choice[name])
  }
  const finishes = choice.finishes.join(' ')
  const wantedFinishes = wanted.finishes.join(' ')
  return finishes === wantedFinishes ? null : `finish ${finishes} and not ${wantedFinishes}`
}

function textFault(name, text, wanted) {
  let at = 0
  while (at < text.length && text[at] === wanted[at]) at += 1
  const near = `…${text.slice(Math.max(at - 12, 0), at + 12)}…`
  return `${name} of ${text.length} characters and not ${wanted.length}, other from ${at} on: ${near}`
}

/** A stream that could not go on: what came is right as far as it goes, and its client was told. */
function brokenFault(kind, told, wanted, cuts) {
  const [error] = told.errors
  const said = JSON.stringify(error.json).slice(0, 300)
  if (told.ends > 0) return 'an error and an end'
  if (kind.goesOn === 'always') return `broken, and it could have gone on: ${said}`
  if (cuts === 0) return `broken without a death: ${said}`
  if (told.errors.length > 1) return `${told.errors.length} errors`
  if (told.late > 0) return 'events after the error'
  if (error.json.error?.src !== 'oss20bd') return `an error that is not ours: ${said}`
  const isNamed = kind.api === 'responses' || kind.api === 'messages'
  if (isNamed !== (error.name === 'error')) return `an error in the wrong shape: ${said}`
  if (told.ids.size > wanted.ids.size) return `${told.ids.size} ids`
  for (const [index, choice] of told.choices) {
    const whole = wanted.choices.get(index)
    for (const name of ['reasoning', 'content']) {
      const text = choice[name]
      if (!whole?.[name].startsWith(text)) return textFault(name, text, whole?.[name] ?? '')
    }
  }
  return null
}
