/** Where the progress is written: process.stderr, or anything like it. */
interface ProgressStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface ProgressOptions {
  /** Counts from 1; the counter is left out when absent. */
  readonly step?: number
  readonly steps?: number
  readonly title: string
  /** process.stderr unless given. */
  readonly stream?: ProgressStream
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Monotonic milliseconds; performance.now unless given. */
  readonly now?: () => number
}

export interface Progress {
  /** `fraction` 0..1, or null while it is not known. */
  update(fraction: number | null, note?: string): void
  /** Ends the line; what comes after an end is ignored. */
  done(note?: string): void
  fail(note?: string): void
}

/**
 * Draws the progress of one long step.
 * @public knip takes the import of progress.mjs for one of the .mjs alone
 */
export declare function createProgress(options: ProgressOptions): Progress
