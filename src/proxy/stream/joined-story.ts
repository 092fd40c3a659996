/** One answer, told by one engine after another as if by one. Pure. */
import { type Delta, KnownDeltas } from './delta-pattern.ts'
import type { Dialect, EngineQuestion, Reading } from './dialect.ts'
import { Echo } from './echo.ts'
import { errorKind } from './engine-error.ts'
import { type JsonObject, listOf, numberOf, objectOf, parseObject } from './json.ts'
import { budgetOf, endsInStop, hasStops, withLessBudget } from './request-rules.ts'
import { Said } from './said.ts'
import { isWholeEvent, readEvent, writeEvent } from './sse-events.ts'
import { emptySeen, type Seen, type StreamStory } from './story.ts'
import { type Before, tallyTimings, tallyUsage } from './totals.ts'

/** More deaths in one answer are no accident. */
const MAX_PARTS = 3
const COLON = 0x3a
const END: Reading = { kind: 'end' }

export class JoinedStory implements StreamStory {
  readonly #dialect: Dialect
  readonly #request: JsonObject | null
  readonly #said = new Said()
  readonly #seen = emptySeen()
  /** The events of an end that is not whole yet: an end that is cut would be none, and the answer goes on. */
  #held: Buffer[] = []
  #closings: JsonObject[] = []
  #parts = 1
  #isJoined = false
  #isMute = false
  #wasMalformed = false
  #before: Before | null = null
  #counted: Before | null = null
  #echo: Echo | null = null
  #requestObstacle: string | null | undefined
  /** Why nothing more can be made of it. */
  #lost: string | null = null
  #isReadable = true
  readonly #known: KnownDeltas

  constructor(dialect: Dialect, request: JsonObject | null) {
    this.#dialect = dialect
    this.#known = new KnownDeltas(dialect)
    this.#request = request
  }

  get seen(): Seen {
    return this.#seen
  }

  take(event: Buffer): Buffer | null {
    const alike = this.#known.read(event)
    if (alike !== null) {
      this.#hear(alike, null)
      return this.#pass(alike, event)
    }
    if (event[0] === COLON) return event
    if (!isWholeEvent(event)) this.#leaveUnread()
    const { name, data } = readEvent(event)
    if (data === null) return event
    if (data === '[DONE]') return this.#pass(END, event)
    const json = parseObject(data)
    if (json === null) return event
    const reading = this.#dialect.read(json, name)
    if (!this.#isReadable) return this.#pass(reading, event)
    if (reading.kind === 'error') return this.#takeError(event, reading.message)
    if (this.#isJoined) return this.#join(json, name, reading)
    this.#dialect.note(json, reading)
    this.#remember(json, reading)
    if (reading.kind === 'delta') this.#learn(event, json, reading)
    return this.#pass(reading, event)
  }

  conclusion(): Buffer | null {
    if (this.#request === null || this.#held.length === 0) return null
    const missing = this.#dialect.missingEnd(this.#closings, this.#request)
    return missing === null ? null : this.#pass(END, missing)
  }

  canContinue(): boolean {
    return this.obstacle === null
  }

  get obstacle(): string | null {
    return this.#lastingObstacle() ?? this.#obstacleNow()
  }

  questions(): readonly EngineQuestion[] {
    const resumed = this.#resumed()
    if (this.#request === null || resumed === null) return []
    return [this.#dialect.question(this.#request), this.#dialect.question(resumed)]
  }

  answered(answers: readonly unknown[]): void {
    this.#counted = null
    const [promptTokens = null, resumedTokens = null] = answers.map(tokensOf)
    if (promptTokens === null || resumedTokens === null) return
    const added = resumedTokens - promptTokens
    this.#lost ??= this.#dialect.obstacleCounted(this.#said, added)
    const generatedTokens = this.#said.countedTokens ?? added
    if (added < 1 || generatedTokens < 1) return
    this.#counted = { promptTokens, generatedTokens }
    Object.assign(this.#seen, this.#counted)
  }

  continuation(): Buffer | null {
    const resumed = this.#resumed()
    const counted = this.#counted
    if (resumed === null || counted === null) return null
    const { budgetFields, defaultBudget, repeatsSaid } = this.#dialect
    const used = counted.generatedTokens
    const budget = budgetOf(resumed, budgetFields, defaultBudget)
    this.#begin(counted)
    this.#isMute = budget !== null && budget <= used
    this.#echo = repeatsSaid ? new Echo(this.#said) : null
    return bodyOf(withLessBudget(resumed, budgetFields, defaultBudget, used))
  }

  retry(): Buffer | null {
    if (!this.#canRetry() || this.#request === null) return null
    if (this.#seen.error === 'malformed-harmony') this.#wasMalformed = true
    this.#begin(null)
    return bodyOf(this.#request)
  }

  #begin(before: Before | null): void {
    this.#parts += 1
    this.#isJoined = this.#dialect.hasOpened()
    this.#before = before
    this.#counted = null
    this.#held = []
    this.#closings = []
    this.#known.forget()
    this.#said.cut()
    this.#seen.error = null
    this.#seen.withheld = null
    if (before !== null) this.#seen.continuations += 1
  }

  #resumed(): JsonObject | null {
    if (this.#request === null || !this.canContinue()) return null
    return this.#dialect.resumed(this.#request, this.#said)
  }

  #canRetry(): boolean {
    const { contentPassed, ended, error } = this.#seen
    if (this.#request === null || contentPassed || ended || error === 'other') return false
    if (error === 'malformed-harmony' && this.#wasMalformed) return false
    // Of several choices it is not known which have begun.
    if ((numberOf(this.#request['n']) ?? 1) !== 1 && this.#dialect.hasOpened()) return false
    return this.#lost === null && this.#parts < MAX_PARTS
  }

  #lastingObstacle(): string | null {
    if (this.#request === null) return 'its request is not known'
    if (this.#requestObstacle === undefined) {
      this.#requestObstacle = this.#dialect.obstacle(this.#request)
    }
    if (this.#said.toolBegun) return 'a tool call has begun'
    return this.#lost ?? this.#requestObstacle
  }

  #obstacleNow(): string | null {
    const said = this.#said
    const { ended, error } = this.#seen
    const { stopField } = this.#dialect
    if (this.#request === null || ended) return 'it has ended'
    if (this.#parts >= MAX_PARTS) return 'it went on twice already'
    if (error === 'other' || error === 'malformed-harmony') return 'it ended in an error'
    // A stop sequence ends an answer within a token: going on from there would be another answer.
    const mayBeWhole = said.mayBeWhole || this.#held.length > 0
    if (mayBeWhole && hasStops(this.#request, stopField)) return 'it may be at its end'
    if (said.isNothing) return 'nothing was said yet'
    if (said.isTooLong) return 'it is too long'
    const text = said.phase === 'content' ? said.content : said.reasoning
    if (endsInStop(this.#request, stopField, text)) {
      return 'it ends in the beginning of a stop sequence'
    }
    return this.#dialect.obstacleAt(this.#request, said)
  }

  #takeError(event: Buffer, message: string): Buffer | null {
    const error = errorKind(message)
    this.#seen.error = error
    const isAnotherTry = this.#canRetry() || (error === 'compute-error' && this.canContinue())
    if (!isAnotherTry) return event
    this.#seen.withheld = event
    return null
  }

  #join(json: JsonObject, name: string | null, read: Reading): Buffer | null {
    const reading = this.#echo === null ? read : this.#echo.takeFrom(read)
    if (reading === null) return this.#loseTrack()
    if (reading.kind === 'delta' && reading !== read) {
      if (reading.reasoning === '' && reading.content === '') return null
      this.#dialect.setText(json, reading.reasoning, reading.content)
    }
    const isText = reading.kind === 'delta' || reading.kind === 'block' || reading.kind === 'tool'
    if (this.#isMute && isText) return null
    const joint = { said: this.#said, before: this.#before, isMute: this.#isMute }
    if (!this.#dialect.join(json, reading, joint)) return null
    this.#remember(json, reading)
    return this.#pass(reading, writeEvent(name, JSON.stringify(json)))
  }

  #remember(json: JsonObject, reading: Reading): void {
    const { usage, timings } = this.#dialect.costs(json)
    if (usage !== null) tallyUsage(this.#seen, usage)
    if (timings !== null) tallyTimings(this.#seen, timings)
    switch (reading.kind) {
      case 'block':
        if (reading.of === 'content') this.#said.contentOpened = true
        return
      case 'tool':
        this.#said.toolBegun = true
        this.#seen.contentPassed = true
        return
      case 'delta':
        // How far the prompt was read is told in events that look like tokens.
        if (json['prompt_progress'] === undefined) this.#hear(reading, timings)
        return
      case 'closing':
        this.#closings.push(json)
        return
      case 'other':
      case 'opening':
      case 'end':
      case 'error':
        return
    }
  }

  #hear({ reasoning, content }: Delta, timings: JsonObject | null): void {
    this.#said.mayBeWhole = timings !== null && this.#request?.['timings_per_token'] !== true
    this.#said.add(reasoning, content)
    if (reasoning === '' && content === '') return
    this.#said.countedTokens = numberOf(timings?.['predicted_n'])
    this.#seen.contentPassed = true
  }

  /** Only from an event that tells nothing but its text. */
  #learn(event: Buffer, json: JsonObject, delta: Delta): void {
    const { usage, timings } = this.#dialect.costs(json)
    const isMore = usage !== null || timings !== null || json['prompt_progress'] !== undefined
    if (!isMore) this.#known.learn(event, delta)
  }

  #pass(reading: Reading, bytes: Buffer): Buffer | null {
    if (this.#lost !== null && this.#isReadable) return null
    if (reading.kind === 'end') this.#seen.ended = true
    if (reading.kind === 'closing' && this.#lastingObstacle() === null) {
      this.#held.push(bytes)
      return null
    }
    if (this.#held.length === 0) return bytes
    const all = Buffer.concat([...this.#held, bytes])
    this.#held = []
    this.#closings = []
    return all
  }

  /** A piece of an event that is too long to be held: from here on nothing is understood. */
  #leaveUnread(): void {
    this.#isReadable = false
    this.#known.forget()
    this.#lost ??= 'it has an event that is too long'
  }

  /** What the new engine repeats is not what was said: its words must not follow those of the first. */
  #loseTrack(): null {
    this.#lost ??= 'the engine went on from another text'
    this.#seen.error = 'other'
    return null
  }
}

function bodyOf(request: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(request))
}

function tokensOf(answer: unknown): number | null {
  const json = objectOf(answer)
  const count = numberOf(json?.['input_tokens'])
  const tokens = listOf(json?.['tokens']).length
  return count ?? (tokens > 0 ? tokens : null)
}
