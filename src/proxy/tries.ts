/** Tries one request with the engine until it is answered, or until that has no more sense. */
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { OpenRequest } from './accounting/request.ts'
import type { AnswerRelay } from './answer-relay.ts'
import { askEngine } from './ask-engine.ts'
import { type Asked, isOnceOnly, wholeBody } from './asked.ts'
import type { Api } from './api.ts'
import type { ClientAnswer } from './client-answer.ts'
import type { EngineConnections } from './engine-connections.ts'
import { callEngine, type CallOutcome, type EngineCall } from './engine-call.ts'
import { Hold, type HoldEnd } from './hold.ts'
import type { InFlight } from './in-flight.ts'
import type { Leaving } from './leaving.ts'
import { type Counts, nextStep, type NextStep, noCounts, type TryEnd } from './next-step.ts'
import type { OwnError } from './own-answer.ts'
import * as refusals from './refusals.ts'
import { CONTINUED_COMMENT } from './stream/broken-stream.ts'
import type { Upstream, UpstreamSource } from './upstream.ts'
import { commentWhile } from './waiting-comment.ts'

/** An answer of the engine, as far as it tells how the engine is. */
export interface EngineAnswer {
  readonly runId: number
  readonly api: Api | null
  readonly status: number
  /** It says that it cannot compute any more. */
  readonly isComputeError: boolean
}

export interface TryDoors {
  readonly upstream: UpstreamSource
  readonly holdTimeoutMs: number
  readonly continueStreams: boolean
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly log: Logger
  readonly inFlight: InFlight
  readonly connections: EngineConnections
  /** Told of each whole answer of the engine. */
  readonly onAnswer: (answer: EngineAnswer) => void
}

export interface TriedRequest {
  readonly asked: Asked
  readonly record: OpenRequest
  readonly answer: ClientAnswer
  readonly relay: AnswerRelay
  readonly leaving: Leaving
}

export type Ending =
  | { readonly kind: 'answered' | 'stopped' }
  /** Nothing was answered: the error is the answer. */
  | { readonly kind: 'refused' | 'failed'; readonly error: OwnError }
  /** The answer had begun: its client is to be told. */
  | { readonly kind: 'broken'; readonly error: OwnError }

/** A full accept queue clears within a moment; a dying engine is soon reported as a change anyway. */
const reconnectDelaysMs = [25, 50, 100, 250, 500, 1000]

type Ready = Extract<Upstream, { kind: 'ready' }>
type Pause = Parameters<Hold['wait']>[0]

export class Tries {
  readonly #doors: TryDoors
  readonly #request: TriedRequest
  #body: Asked['body']
  #counts: Counts = noCounts
  #call: EngineCall | null = null
  /** What the stream's story wants to know of the new engine before it goes on. */
  #isGoingOn = false
  /** The engine works at it. */
  isWithEngine = false
  /** How long the engine worked at it; null when it never did. */
  servedMs: number | null = null

  constructor(doors: TryDoors, request: TriedRequest) {
    this.#doors = doors
    this.#request = request
    this.#body = request.asked.body
  }

  /** The client takes more of the answer. */
  resume(): void {
    this.#call?.resume()
  }

  /** The answer is not wanted any more. */
  stop(): void {
    this.#call?.stop()
  }

  async run(): Promise<Ending> {
    let hold: Hold | null = null
    let pause: Pause
    for (let refused = 0; ;) {
      const now = this.#doors.upstream.current()
      const isReady = now.kind === 'ready' && pause === undefined
      const end = isReady ? now : await this.#waitFor((hold ??= this.#newHold()), pause)
      if (end.kind !== 'ready') return this.#notForwarded(end)
      const outcome = await this.#tryWith(end)
      if (outcome.kind === 'not-sent') {
        pause = pauseAfter(refused, `the engine takes no connection: ${outcome.reason}`)
        refused += 1
        continue
      }
      const ending = await this.#after(outcome, end)
      if (ending !== null) return ending
      // The engine that has just died may seem to be there for a moment still, and another deserves new patience.
      pause = pauseAfter(0, 'the engine died')
      hold = null
      refused = 0
    }
  }

  #newHold(): Hold {
    const { upstream: source } = this.#doors
    return new Hold({ ...this.#doors, source, signal: this.#request.leaving.signal })
  }

  async #waitFor(hold: Hold, pause: Pause): Promise<HoldEnd> {
    const { inFlight, clock } = this.#doors
    const { answer, record } = this.#request
    record.held()
    return commentWhile(answer, clock, () => inFlight.held(() => hold.wait(pause)))
  }

  #notForwarded(end: Exclude<HoldEnd, { kind: 'ready' }>): Ending {
    const { leaving, answer } = this.#request
    if (leaving.hasCome || end.kind === 'aborted') return { kind: 'stopped' }
    return { kind: answer.started ? 'broken' : 'failed', error: refusals.notForwarded(end) }
  }

  async #tryWith({ socketPath }: Ready): Promise<CallOutcome> {
    const { connections, clock, inFlight } = this.#doors
    const { asked, answer, relay, leaving, record } = this.#request
    if (leaving.hasCome) return { kind: 'stopped' }
    if (this.#isGoingOn) {
      const refused = await this.#prepareToGoOn(socketPath)
      if (refused !== null) return refused
    }
    const startedAtMs = clock.monotonicMs()
    record.forwarded()
    this.isWithEngine = true
    const outcome = await inFlight.during(() => {
      const call = callEngine({ ...asked, body: this.#body }, socketPath, connections, relay)
      this.#call = call
      return call.outcome
    })
    this.isWithEngine = false
    if (outcome.kind !== 'not-sent') this.servedMs = clock.monotonicMs() - startedAtMs
    // Its head may be read and not yet sent: it must not go out before the answer of another.
    if (outcome.kind !== 'complete') answer.withdraw()
    return outcome
  }

  /** Asks the new engine what the story needs to know; null: it can go on. */
  async #prepareToGoOn(socketPath: string): Promise<CallOutcome | null> {
    const { relay, leaving, answer, record } = this.#request
    const { signal } = leaving
    const { story } = relay
    if (story === null) return { kind: 'died', reason: 'there is no stream to go on with' }
    const answers: unknown[] = []
    for (const { path, body } of story.questions()) {
      const told = await askEngine(path, body, socketPath, this.#doors.connections, signal)
      if (told.kind !== 'answered') return told
      answers.push(told.json)
    }
    story.answered(answers)
    const rest = story.continuation()
    if (rest === null) return { kind: 'died', reason: story.obstacle ?? 'it cannot go on exactly' }
    this.#body = wholeBody(rest)
    this.#isGoingOn = false
    record.continued()
    answer.write(Buffer.from(CONTINUED_COMMENT), false)
    return null
  }

  /** null: it is to be tried again. */
  async #after(
    outcome: Exclude<CallOutcome, { kind: 'not-sent' }>,
    ready: Ready,
  ): Promise<Ending | null> {
    switch (outcome.kind) {
      case 'stopped':
        return { kind: 'stopped' }
      case 'not-sendable':
        return { kind: 'refused', error: refusals.notSendable(outcome.reason) }
      case 'upload-failed': {
        const error = refusals.bodyRefused(outcome.failure)
        return error === null ? { kind: 'stopped' } : { kind: 'refused', error }
      }
      case 'complete':
        return this.#ended(this.#endOfAnswer(ready))
      case 'died':
        this.#doors.log.warn('the engine died with a request', {
          id: this.#request.record.id,
          reason: outcome.reason,
          answerStarted: this.#request.answer.started,
        })
        return this.#ended(outcome)
    }
  }

  async #ended(end: TryEnd): Promise<Ending | null> {
    const { relay, answer } = this.#request
    const isCut = end.kind === 'died' && answer.started
    // The client has all of it: the engine died between its last word and the end of the connection.
    if (isCut && relay.story?.seen.ended === true) return this.#finish()
    // The last words of a stream may be known although its engine died before it said them.
    const conclusion = isCut ? (relay.story?.conclusion() ?? null) : null
    if (conclusion === null) return this.#carryOut(this.#judge(end))
    answer.write(conclusion, false)
    return this.#finish()
  }

  #endOfAnswer({ runId }: Ready): TryEnd {
    const { relay, asked } = this.#request
    const end = relay.finish()
    const isComputeError = end.kind === 'fault' && end.fault === 'compute-error'
    this.#doors.onAnswer({ runId, api: asked.api, status: relay.status, isComputeError })
    if (end.kind === 'fine') return { kind: 'answered' }
    if (end.kind !== 'unfinished') return end
    return { kind: 'died', reason: 'the stream ended without its end' }
  }

  #judge(end: TryEnd): NextStep {
    const { answer, relay, asked } = this.#request
    const story = answer.started ? relay.story : null
    const facts = {
      started: answer.started,
      canResend: !isOnceOnly(asked.body),
      canRetryStream: story !== null && !story.seen.contentPassed && !this.#isGoingOn,
      canContinue: this.#doors.continueStreams && (story?.canContinue() ?? false),
    }
    return nextStep(end, facts, this.#counts)
  }

  async #carryOut(step: NextStep): Promise<Ending | null> {
    switch (step.kind) {
      case 'done':
        return this.#finish()
      case 'pass-fault':
        if (this.#request.relay.passFault()) return this.#finish()
        return { kind: 'broken', error: refusals.broken('the engine goes on with an error') }
      case 'resend':
        return this.#again(step.counts)
      case 'continue':
        this.#counts = step.counts
        this.#isGoingOn = true
        return null
      case 'fail':
        return {
          kind: 'failed',
          error: refusals.engineDied(step.why, step.reason, this.#fingerprint()),
        }
      case 'break':
        return { kind: 'broken', error: refusals.broken(step.reason) }
    }
  }

  async #finish(): Promise<Ending> {
    return { kind: (await this.#request.answer.end()) ? 'answered' : 'stopped' }
  }

  #again(counts: Counts): Ending | null {
    const { relay, record, answer } = this.#request
    this.#counts = counts
    answer.withdraw()
    if (relay.hasEvents) {
      const again = relay.story?.retry() ?? null
      if (again === null) {
        const error = refusals.broken('the stream cannot be begun again')
        return { kind: answer.started ? 'broken' : 'failed', error }
      }
      this.#body = wholeBody(again)
    }
    record.replayed()
    return null
  }

  /** Names a request without telling anything of it. */
  #fingerprint(): string {
    const hash = createHash('sha256')
    const { body } = this.#request.asked
    if (body?.kind === 'whole') for (const bytes of body.pieces) hash.update(bytes)
    return hash.digest('hex').slice(0, 12)
  }
}

function pauseAfter(refused: number, reason: string): NonNullable<Pause> {
  return { delayMs: reconnectDelaysMs[refused] ?? 1000, reason }
}
