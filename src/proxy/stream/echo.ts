/** Takes out of an answer what the engine was given to go on with and says again. Pure. */
import type { Reading } from './dialect.ts'
import type { Said } from './said.ts'

export class Echo {
  #reasoning: string
  #content: string

  constructor(said: Said) {
    this.#reasoning = said.reasoning
    this.#content = said.content
  }

  /** What is new in it; null when it says something else than was said before. */
  takeFrom(reading: Reading): Reading | null {
    if (this.#reasoning === '' && this.#content === '') return reading
    if (reading.kind !== 'delta') return reading
    let { reasoning, content } = reading
    if (reasoning !== '' && this.#reasoning !== '') {
      if (!reasoning.startsWith(this.#reasoning)) return null
      reasoning = reasoning.slice(this.#reasoning.length)
      this.#reasoning = ''
    }
    if (content !== '' && this.#content !== '') {
      if (this.#reasoning !== '' || !content.startsWith(this.#content)) return null
      content = content.slice(this.#content.length)
      this.#content = ''
    }
    return { kind: 'delta', reasoning, content }
  }
}
