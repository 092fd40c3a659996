/** What a stream has told its client so far. Pure. */

/** More than any context of the engine holds. */
const MAX_SAID_CHARACTERS = 4 * 1024 * 1024

/** The only places from which an answer can go on. */
export type Phase = 'reasoning' | 'content'

export class Said {
  reasoning = ''
  content = ''
  /** The stream has announced that part, with or without text in it. */
  reasoningOpened = false
  contentOpened = false
  toolBegun = false
  /** Reasoning came after content: the engine is not where the two texts say it is. */
  outOfOrder = false
  /** Tokens of which the client knows, by the engine's own count; null unless it is told with each. */
  countedTokens: number | null = null
  /** The engine told with this text what all of it took, as it does when it is about to end. */
  mayBeWhole = false
  /** Events with or without text up to the last with text: what a token without text is known by. */
  tokenEvents = 0
  /** A token without text lies before the last text. */
  hasSilentToken = false
  #silentEvents = 0

  add(reasoning: string, content: string): void {
    if (reasoning === '' && content === '') {
      this.#silentEvents += 1
      return
    }
    // It cannot go on any more, so that the text is of no use: an endless one must not fill our memory.
    const isKept = !this.isTooLong
    if (reasoning !== '') {
      if (this.contentOpened) this.outOfOrder = true
      this.reasoningOpened = true
      if (isKept) this.reasoning += reasoning
    }
    if (content !== '') {
      this.contentOpened = true
      if (isKept) this.content += content
    }
    if (this.#silentEvents > 0) this.hasSilentToken = true
    this.tokenEvents += this.#silentEvents + 1
    this.#silentEvents = 0
  }

  /** Tokens after the last text are lost with the engine that made them: they will come again. */
  cut(): void {
    this.#silentEvents = 0
  }

  get isNothing(): boolean {
    return this.reasoning === '' && this.content === ''
  }

  get isTooLong(): boolean {
    return this.reasoning.length + this.content.length > MAX_SAID_CHARACTERS
  }

  get phase(): Phase {
    return this.contentOpened ? 'content' : 'reasoning'
  }
}
