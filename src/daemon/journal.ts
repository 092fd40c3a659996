/** Writes the journal. A full disk or a vanished folder never stops or throws at its writer. */
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { JOURNAL, readPast, type JournalPast } from '../journal-files.ts'
import type { JournalEvent, NewJournalEvent, WriteJournal } from '../journal.ts'
import { RotatingFile } from '../rotating-file.ts'

export interface JournalOptions {
  /** Where the logs are. */
  readonly folder: string
  readonly clock: Clock
  /** The file is set aside at this size, and `keep` older ones stay. */
  readonly maxBytes?: number
  readonly keep?: number
  /** It cannot be read or written: told once, until it can again. */
  readonly onTrouble: (reason: string) => void
  /** It is written again, without so many events. */
  readonly onLost: (events: number) => void
}

export interface Journal {
  readonly write: WriteJournal
  /** What was in it when it was opened: how the daemon before this one ended. */
  readonly past: JournalPast
  /** Events that are in no file. */
  lostEvents(): number
  /** Resolves when what was written until now is in the file, or cannot be. */
  written(): Promise<void>
  /** Writes what is queued. Later events are lost. */
  close(): Promise<void>
}

const MAX_BYTES = 4 * 1_048_576
const KEEP = 1
const MAX_TEXT_LENGTH = 300
/** A sentence may name a path or two. */
const MAX_SENTENCE_LENGTH = 1000
const MAX_EVIDENCE_LINES = 60

/** Never fails: a journal that cannot be read has no past. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { folder, clock, maxBytes = MAX_BYTES, keep = KEEP, onTrouble, onLost } = options
  const past = await readPast(folder).catch((error: unknown): JournalPast => {
    onTrouble(messageOf(error))
    return { lastEvent: null, endedCleanly: null, lastAliveMs: null }
  })
  const file = new RotatingFile({
    folder,
    name: JOURNAL,
    maxBytes,
    keep,
    gatherMs: 0,
    durable: true,
    clock,
    onTrouble,
    onLost,
  })
  let isOpen = true
  return {
    past,
    write: (event) => {
      if (isOpen) file.write(JSON.stringify(bounded(event, new Date(clock.nowMs()))))
    },
    lostEvents: () => file.lostLines,
    written: () => file.flush(),
    close: async () => {
      isOpen = false
      await file.close()
    },
  }
}

/** With all that a reader relies on, and no more than fits. */
export function bounded(event: NewJournalEvent, at: Date): JournalEvent {
  const { kind, message, hint = null, facts = {}, evidence = [] } = event
  return {
    at: at.toISOString(),
    kind,
    message: cut(message, MAX_SENTENCE_LENGTH),
    hint: hint === null ? null : cut(hint, MAX_SENTENCE_LENGTH),
    facts: Object.fromEntries(
      Object.entries(facts).map(([name, value]) => [
        name,
        typeof value === 'string' ? cut(value, MAX_TEXT_LENGTH) : value,
      ]),
    ),
    // The newest tell most.
    evidence: evidence.slice(-MAX_EVIDENCE_LINES).map((line) => cut(line, MAX_TEXT_LENGTH)),
  }
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`
}
