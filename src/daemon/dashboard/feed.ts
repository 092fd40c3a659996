/** Tells those who watch how it is: at each change, and every two seconds. Nothing is done while nobody does. */
import type { ServerResponse } from 'node:http'
import { messageOf } from '../../errors.ts'
import { lastEvents } from '../../journal-files.ts'
import type { JournalEvent, NewJournalEvent } from '../../journal.ts'
import type { Logger } from '../../log.ts'
import { bounded } from '../journal.ts'
import { changeOr } from '../until-change.ts'
import type { Now } from './feed-protocol.ts'
import { Meter, type MeterDoors } from './meter.ts'
import { Viewers } from './viewers.ts'

const EVERY_MS = 2000
/** A model that loads changes the state many times a second: an eye needs no more. */
const AT_MOST_EVERY_MS = 250
const SHOWN_EVENTS = 100
const SHOWN_RECENT = 20
/** The newest tell most; all of them are in `oss20bd why`. */
const SHOWN_EVIDENCE = 10

export interface FeedDoors extends MeterDoors {
  /** The folder of the journal. */
  readonly logs: string
  /** Resolves when what was written into the journal until now is in its file. */
  readonly journalWritten: () => Promise<void>
  /** Resolves at the next change of the state; rejects when `signal` aborts. */
  readonly changed: (signal: AbortSignal) => Promise<void>
  /** Never waits: as it was told last. */
  readonly slots: () => Now['slots']
  readonly log: Logger
}

export class Feed {
  readonly #doors: FeedDoors
  readonly #viewers = new Viewers()
  readonly #meter: Meter
  /** Oldest first. */
  #events: readonly JournalEvent[] = []
  #past: Promise<void> | null = null

  constructor(doors: FeedDoors) {
    this.#doors = doors
    this.#meter = new Meter(doors)
  }

  /** As it goes into the journal. */
  tellEvent(given: NewJournalEvent): void {
    const event = shown(bounded(given, new Date(this.#doors.clock.nowMs())))
    this.#events = [...this.#events, event].slice(-SHOWN_EVENTS)
    this.#viewers.tell('event', event)
  }

  /** False when too many watch; then nothing was sent. */
  admit(res: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (!this.#viewers.admit(res, headers)) return false
    void this.#greet(res).catch((error: unknown) => {
      this.#doors.log.warn('cannot tell a viewer how it is', { reason: messageOf(error) })
      res.destroy()
    })
    return true
  }

  /** Resolves when `signal` has aborted: every viewer is let go. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#pastRead()
    try {
      for (;;) {
        await this.#viewers.some(signal)
        this.#viewers.tell('now', await this.#now())
        await changeOr(this.#doors.changed, EVERY_MS, this.#doors.clock, signal)
        await this.#doors.clock.sleep(AT_MOST_EVERY_MS, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#viewers.close()
    }
  }

  async #greet(res: ServerResponse): Promise<void> {
    await this.#pastRead()
    this.#viewers.tellOne(res, 'journal', this.#events)
    this.#viewers.tellOne(res, 'now', await this.#now())
  }

  #pastRead(): Promise<void> {
    this.#past ??= this.#readPast()
    return this.#past
  }

  /** What was told before this daemon began. */
  async #readPast(): Promise<void> {
    const { logs, log, journalWritten } = this.#doors
    await journalWritten()
    const past = await lastEvents(logs, SHOWN_EVENTS).catch((error: unknown) => {
      log.warn('the dashboard cannot read the journal', { reason: messageOf(error) })
      return []
    })
    const older = past.slice(0, past.length - overlapOf(past, this.#events))
    this.#events = [...older.map(shown), ...this.#events].slice(-SHOWN_EVENTS)
  }

  async #now(): Promise<Now> {
    const { requests } = this.#doors
    const { snapshot, sample } = await this.#meter.take()
    return {
      status: snapshot.status,
      requests: {
        open: requests.open(),
        recent: requests.recent(SHOWN_RECENT),
        totals: requests.totals(),
      },
      sample,
      slots: this.#doors.slots(),
      droppedViewers: this.#viewers.dropped,
    }
  }
}

function shown(event: JournalEvent): JournalEvent {
  return { ...event, evidence: event.evidence.slice(-SHOWN_EVIDENCE) }
}

/** How many events at the end of the one list are those at the start of the other: they were told while it was read. */
export function overlapOf(
  past: readonly NewJournalEvent[],
  told: readonly NewJournalEvent[],
): number {
  for (let size = Math.min(past.length, told.length); size > 0; size -= 1) {
    const isSame = told.slice(0, size).every(({ kind, message }, index) => {
      const other = past[past.length - size + index]
      return other?.kind === kind && other.message === message
    })
    if (isSame) return size
  }
  return 0
}
