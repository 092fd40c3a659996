/** What the journal holds: one event per line, each in words for a person and in facts for a program. Types only. */

export type JournalKind =
  /** The daemon began, or ended in good order. A start without an end before it: it was killed. */
  | 'daemon-started'
  | 'daemon-stopped'
  /** Somebody asked: start, stop, restart, unload. */
  | 'asked'
  /** The engine went from one state to another. */
  | 'state'
  /** A run of the engine ended; the evidence is its last lines. */
  | 'exit'
  /** What the operating system told later about a death. */
  | 'explained'
  /** What was decided after a death: try again when, safe mode, a smaller context, give up. */
  | 'decision'
  /** The engine stood still: counters, slots and last lines, taken before it was killed. */
  | 'hang'
  /** How a stop went, and what did not finish in time. */
  | 'stop-report'
  /** Memory was given back, kept back or may be taken again: what was done, why, with the numbers. */
  | 'memory'
  /** An engine that a killed daemon had left was ended. */
  | 'orphan'
  /** The machine slept, or this process stood still, and goes on. */
  | 'wake'
  /** An engine that replaced another one is on trial, kept, or the earlier one came back. */
  | 'engine'
  /** The config, the model or the engine file changed. */
  | 'changed'
  /** A further port (`proxy.alsoListen`) cannot be had, or can be again. */
  | 'port'

export interface JournalEvent {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly kind: JournalKind
  /** One sentence without a full stop. */
  readonly message: string
  /** What a person can do; null when nothing is needed. */
  readonly hint: string | null
  /** Numbers carry their unit in the name. */
  readonly facts: Readonly<Record<string, string | number | boolean | null>>
  /** Lines that show it, oldest first; safe to show (no prompt, no answer). */
  readonly evidence: readonly string[]
}

/** An event as the parts give it; the journal adds the time. */
export type NewJournalEvent = Pick<JournalEvent, 'kind' | 'message'> &
  Partial<Omit<JournalEvent, 'at' | 'kind' | 'message'>>

/** Takes one event. Returns at once; never throws. */
export type WriteJournal = (event: NewJournalEvent) => void
