/** Runs one long step with a line of progress. */
import { createProgress } from '../../scripts/progress.mjs'
import type { Progress, ProgressOptions } from '../../scripts/progress.mjs'

export type { Progress }
export { createProgress as createProgressLine }

/** The progress line ends as the work ends: done with the note, or failed. */
export async function withProgress<T>(
  options: ProgressOptions,
  work: (progress: Progress) => Promise<{ readonly result: T; readonly note?: string }>,
): Promise<T> {
  const progress = createProgress(options)
  try {
    const { result, note } = await work(progress)
    progress.done(note)
    return result
  } catch (error) {
    progress.fail()
    throw error
  }
}
