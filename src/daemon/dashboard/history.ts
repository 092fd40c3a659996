/** The last 24 hours on the disk: one file of a fixed size, a place in it for every 10 seconds of a day. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { messageOf } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { type Sample, SAMPLE_FIELDS, sampleFrom } from './sample.ts'

export const SAMPLE_EVERY_MS = 10_000
const DAY_MS = 86_400_000
const PLACES = DAY_MS / SAMPLE_EVERY_MS
/** The time and one number per field, 8 bytes each; a checksum of 4 at the end; room for a few more fields. */
const RECORD_BYTES = 160
const CHECKED_BYTES = RECORD_BYTES - 4
/** 1.4 MB, from the first write to the last. */
export const HISTORY_BYTES = PLACES * RECORD_BYTES

export interface HistoryOptions {
  readonly file: string
  readonly log: Logger
}

/**
 * The place of a sample follows from its time, so there is no head to lose: whatever is older than a day, torn
 * or foreign is not read, and is written over in time.
 */
export class History {
  readonly #options: HistoryOptions
  /** The same failure is told once. */
  #trouble = ''

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /** Never fails: a history that cannot be written is a warning. */
  async add(sample: Sample): Promise<void> {
    await this.#using((file) =>
      file.write(encode(sample), 0, RECORD_BYTES, placeOf(sample.atMs) * RECORD_BYTES),
    )
  }

  /** Oldest first, of the last `lastMs` (a day at most) before `nowMs`. Never fails. */
  async read(nowMs: number, lastMs: number): Promise<readonly Sample[]> {
    const bytes = Buffer.alloc(HISTORY_BYTES)
    await this.#using((file) => file.read(bytes, 0, HISTORY_BYTES, 0))
    const afterMs = nowMs - Math.min(lastMs, DAY_MS)
    const found: Sample[] = []
    for (let at = 0; at < HISTORY_BYTES; at += RECORD_BYTES) {
      const sample = decode(bytes.subarray(at, at + RECORD_BYTES))
      if (sample !== null && sample.atMs > afterMs && sample.atMs <= nowMs) found.push(sample)
    }
    return found.toSorted((one, other) => one.atMs - other.atMs)
  }

  /** Opened for each use: a file that somebody removed is made again. */
  async #using(use: (file: FileHandle) => Promise<unknown>): Promise<void> {
    try {
      const file = await open(this.#options.file, constants.O_RDWR | constants.O_CREAT, 0o600)
      try {
        await use(file)
        this.#trouble = ''
      } finally {
        await file.close()
      }
    } catch (error) {
      const reason = messageOf(error)
      if (reason !== this.#trouble) this.#options.log.warn('cannot keep the history', { reason })
      this.#trouble = reason
    }
  }
}

function placeOf(atMs: number): number {
  return Math.floor(atMs / SAMPLE_EVERY_MS) % PLACES
}

/** null is NaN, which no reading is. */
function encode(sample: Sample): Buffer {
  const record = Buffer.alloc(RECORD_BYTES, 0xff)
  record.writeDoubleLE(sample.atMs, 0)
  for (const [index, name] of SAMPLE_FIELDS.entries()) {
    record.writeDoubleLE(sample[name] ?? Number.NaN, (index + 1) * 8)
  }
  record.writeUInt32LE(crc32(record.subarray(0, CHECKED_BYTES)), CHECKED_BYTES)
  return record
}

/** null for what was never written, torn or is not ours. */
function decode(record: Buffer): Sample | null {
  const atMs = record.readDoubleLE(0)
  if (!(atMs > 0)) return null
  if (record.readUInt32LE(CHECKED_BYTES) !== crc32(record.subarray(0, CHECKED_BYTES))) return null
  // What an older version did not write is all ones, which is NaN as well.
  return sampleFrom(atMs, (_name, index) => {
    const value = record.readDoubleLE((index + 1) * 8)
    return Number.isNaN(value) ? null : value
  })
}
