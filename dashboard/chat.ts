/** A small chat: asks over the same port as any app, shows the answer as it comes and the reasoning apart. */
import { find, make, setText } from './dom.ts'
import { readAnswer } from './answer-stream.ts'

interface Turn {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

const form = find('#chat', HTMLFormElement)
const question = find('#question', HTMLTextAreaElement)
const stop = find('#stop', HTMLButtonElement)
const submit = find('#chat button[type=submit]', HTMLButtonElement)
const shown = find('#turns', HTMLElement)
let turns: readonly Turn[] = []

export function beginChat(model: () => string): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void ask(question.value, model())
  })
  question.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    form.requestSubmit()
  })
}

async function ask(content: string, model: string): Promise<void> {
  if (submit.disabled || content.trim() === '') return
  const asked: readonly Turn[] = [...turns, { role: 'user', content }]
  show('You').append(make('div', content))
  question.value = ''
  const ending = new AbortController()
  const end = (): void => ending.abort()
  stop.addEventListener('click', end)
  submit.disabled = true
  stop.disabled = false
  const answer = await answerTo(asked, model, ending.signal)
  turns = answer === '' ? turns : [...asked, { role: 'assistant', content: answer }]
  stop.removeEventListener('click', end)
  submit.disabled = false
  stop.disabled = true
}

/** The answer as far as it came; what went wrong is shown. */
async function answerTo(
  asked: readonly Turn[],
  model: string,
  signal: AbortSignal,
): Promise<string> {
  const turn = show(model)
  const details = make('details')
  const reasoning = make('div')
  const text = make('div', '…')
  details.append(make('summary', 'Reasoning'), reasoning)
  turn.append(text)
  let answer = ''
  try {
    const response = await fetch('/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: asked, stream: true }),
      signal,
    })
    for await (const piece of readAnswer(response)) {
      if (piece.reasoning !== '') {
        if (!details.isConnected) turn.insertBefore(details, text)
        reasoning.append(piece.reasoning)
      }
      answer += piece.text
      if (answer !== '') setText(text, answer)
    }
    if (answer === '') setText(text, '(no answer)')
  } catch (error) {
    const why = signal.aborted ? 'Stopped' : error instanceof Error ? error.message : String(error)
    turn.append(make('p', why, 'bad'))
    if (answer === '') text.remove()
  }
  return answer
}

function show(who: string): HTMLElement {
  const turn = make('div', '', 'turn')
  turn.append(make('div', who, 'who'))
  shown.append(turn)
  return turn
}
