/** What a client makes of an answer, read strictly: whatever should not be there throws. Pure. */

/** Reads the whole body of an answer with status 200, streamed or not. */
export function readAnswer(api, isStream, bytes) {
  const told = emptyTold()
  const text = bytes.toString('utf8')
  if (isStream) readStream(api, text, told)
  else readWhole(api, JSON.parse(text), told)
  return told
}

/** The events of an SSE stream as far as it has come, each without the blank line. */
export function eventsOf(text) {
  const events = text.split('\n\n')
  const rest = events.pop()
  return { events, rest }
}

function emptyTold() {
  return {
    /** By the index of the choice: `{ reasoning, content, finishes }`. */
    choices: new Map(),
    ids: new Set(),
    openings: 0,
    ends: 0,
    errors: [],
    /** Events after an end or an error. */
    late: 0,
    /** Each text that a closing event gave as the whole. */
    wholes: { reasoning: new Set(), content: new Set() },
    promptTokens: null,
    generatedTokens: null,
    continuations: 0,
    other: null,
  }
}

function choiceOf(told, index = 0) {
  const known = told.choices.get(index)
  if (known !== undefined) return known
  const choice = { reasoning: '', content: '', finishes: [] }
  told.choices.set(index, choice)
  return choice
}

function readStream(api, text, told) {
  const { events, rest } = eventsOf(text)
  if (rest !== '') throw new Error(`it ends within an event: ${rest.slice(-80)}`)
  for (const event of events) {
    if (event.startsWith(':')) {
      if (event.includes('continued after engine restart')) told.continuations += 1
      continue
    }
    if (told.ends + told.errors.length > 0) told.late += 1
    readEvent(api, event, told)
  }
}

function readEvent(api, event, told) {
  const lines = event.split('\n')
  const data = lines.find((line) => line.startsWith('data: '))?.slice('data: '.length)
  if (data === undefined) throw new Error(`an event without data: ${event}`)
  if (data === '[DONE]') return void (told.ends += 1)
  const json = JSON.parse(data)
  const name = lines.find((line) => line.startsWith('event: '))?.slice('event: '.length)
  if (json.error !== undefined || name === 'error') told.errors.push({ name, json })
  else if (api === 'responses') readResponsesEvent(json, told)
  else if (api === 'messages') readMessagesEvent(json, told)
  else if (api === 'native') readNative(json, told)
  else readChunk(json, told)
}

function readChunk(json, told) {
  told.ids.add(json.id)
  if (json.usage) readUsage(json.usage.prompt_tokens, json.usage.completion_tokens, told)
  for (const { index, delta, text, finish_reason: finish } of json.choices) {
    const choice = choiceOf(told, index)
    if (delta?.role !== undefined) told.openings += 1
    choice.reasoning += delta?.reasoning_content ?? ''
    choice.content += (delta?.content ?? '') + (text ?? '')
    if (typeof finish === 'string') choice.finishes.push(finish)
  }
}

function readResponsesEvent(json, told) {
  const choice = choiceOf(told)
  if (json.response !== undefined) told.ids.add(json.response.id)
  if (json.item !== undefined) readItem(json.item, told)
  if (json.item_id !== undefined) told.ids.add(json.item_id)
  switch (json.type) {
    case 'response.created':
      told.openings += 1
      return
    case 'response.reasoning_text.delta':
      choice.reasoning += json.delta
      return
    case 'response.output_text.delta':
      choice.content += json.delta
      return
    case 'response.output_text.done':
      told.wholes.content.add(json.text)
      return
    case 'response.content_part.done':
      told.wholes.content.add(json.part.text)
      return
    case 'response.completed':
      told.ends += 1
      choice.finishes.push(json.response.status)
      readUsage(json.response.usage.input_tokens, json.response.usage.output_tokens, told)
      for (const item of json.response.output) readItem(item, told)
  }
}

function readItem({ id, type, content = [] }, told) {
  told.ids.add(id)
  const wholes = told.wholes[type === 'reasoning' ? 'reasoning' : 'content']
  for (const { text } of content) wholes.add(text)
}

function readMessagesEvent(json, told) {
  const choice = choiceOf(told)
  switch (json.type) {
    case 'message_start':
      told.openings += 1
      told.ids.add(json.message.id)
      told.promptTokens = inputOf(json.message.usage)
      return
    case 'content_block_delta':
      choice.reasoning += json.delta.thinking ?? ''
      choice.content += json.delta.text ?? ''
      return
    case 'message_delta':
      choice.finishes.push(json.delta.stop_reason)
      told.generatedTokens = json.usage.output_tokens
      return
    case 'message_stop':
      told.ends += 1
  }
}

function readNative(json, told) {
  const choice = choiceOf(told, json.index)
  choice.content += json.content
  if (json.stop !== true) return
  told.ends += 1
  choice.finishes.push(json.stop_type)
  readUsage(json.tokens_evaluated, json.tokens_predicted, told)
}

function readUsage(promptTokens, generatedTokens, told) {
  told.promptTokens = promptTokens
  told.generatedTokens = generatedTokens
}

/** What the engine still knew is told apart only in this API. */
function inputOf(usage) {
  return usage.input_tokens + usage.cache_read_input_tokens
}

function readWhole(api, json, told) {
  told.openings = 1
  told.ends = 1
  if (json.id !== undefined) told.ids.add(json.id)
  switch (api) {
    case 'tokenize':
      told.other = JSON.stringify(json)
      return
    case 'messages': {
      const choice = choiceOf(told)
      for (const { thinking = '', text = '' } of json.content) {
        choice.reasoning += thinking
        choice.content += text
      }
      choice.finishes.push(json.stop_reason)
      return readUsage(inputOf(json.usage), json.usage.output_tokens, told)
    }
    case 'responses': {
      const choice = choiceOf(told)
      for (const { type, content = [] } of json.output) {
        const said = content.map(({ text }) => text).join('')
        choice[type === 'reasoning' ? 'reasoning' : 'content'] += said
      }
      choice.finishes.push(json.status)
      return readUsage(json.usage.input_tokens, json.usage.output_tokens, told)
    }
    default:
      for (const { index, message, text, finish_reason: finish } of json.choices) {
        const choice = choiceOf(told, index)
        choice.reasoning += message?.reasoning_content ?? ''
        choice.content += (message?.content ?? '') + (text ?? '')
        choice.finishes.push(finish)
      }
      readUsage(json.usage.prompt_tokens, json.usage.completion_tokens, told)
  }
}
