/** What llama-server logs of a prompt that it reads for more than 3 s. Pure. */

export interface PromptProgress {
  readonly taskId: number
  /** 0 to 1. */
  readonly share: number
}

/** As `slot print_timing: id  0 | task 52 | prompt processing, n_tokens =   2048, progress = 0.53, t = ...`. */
const PATTERN =
  /\| task (?<task>\d+) \| prompt processing, n_tokens = +\d+, progress = (?<share>[\d.]+)/

/** null for any other line. */
export function readPromptProgress(line: string): PromptProgress | null {
  const { task, share } = PATTERN.exec(line)?.groups ?? {}
  if (task === undefined || share === undefined) return null
  const value = Number(share)
  return Number.isFinite(value) ? { taskId: Number(task), share: Math.min(1, value) } : null
}
