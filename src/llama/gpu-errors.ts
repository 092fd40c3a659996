/** The lines by which llama-server says that the GPU failed it, for good. Pure. */
import type { ExitReason } from '../engine.ts'

interface GpuError {
  readonly pattern: RegExp
  /** `part` is the first group of the pattern, or the empty text. */
  readonly reason: (part: string) => ExitReason
}

const outOfMemory = (): ExitReason => ({
  cause: 'gpu-out-of-memory',
  permanent: false,
  message: 'llama-server can no longer use the GPU: the GPU ran out of memory',
  hint: 'Close other apps, or set a smaller model.contextTokens in the config, then run oss20bd restart',
})

const failed = (what: string): ExitReason => ({
  cause: 'gpu-error',
  permanent: false,
  message: `llama-server can no longer use the GPU: the GPU gave up its work${what === '' ? '' : ` (${what})`}`,
  hint: 'Nothing, when it is rare; when it comes back, set a smaller model.contextTokens in the config',
})

/**
 * ggml latches the first failed command buffer: from then on every request fails, while `/health` says ok.
 * All begin at the start of a message, where no word of a request can stand. The special come first: of
 * several lines the one that tells most decides. That the working set is larger than recommended is no
 * failure, and not here.
 */
const gpuErrors: readonly GpuError[] = [
  {
    pattern: /^error: (?:Insufficient Memory\b|.*:kIOGPUCommandBufferCallbackErrorOutOfMemory\))/,
    reason: outOfMemory,
  },
  // `error: Caused GPU Hang Error (00000003:kIOGPUCommandBufferCallbackErrorHang)`, `(0000000e:Internal Error)`
  {
    pattern: /^error: .*\([0-9a-f]{8}:(?:kIOGPUCommandBufferCallbackError)?(\w[\w ]*)\)/,
    reason: failed,
  },
  { pattern: /^error: Caused (GPU Hang) Error/, reason: failed },
  {
    pattern: /^ggml_metal_\w+: error: command buffer \d+ failed with status/,
    reason: () => failed(''),
  },
  { pattern: /^ggml_metal_\w+: backend is in error state/, reason: () => failed('') },
]

/** What one message of the engine's log says of a dead GPU; null for any other. */
export function readGpuError(message: string): ExitReason | null {
  // Nearly every line of a log ends here.
  if (!message.startsWith('error: ') && !message.startsWith('ggml_metal_')) return null
  return gpuErrorIn([message])
}

/** Status 5 is an error, whose reason is the next line. */
const reasonFollows = /^ggml_metal_\w+: error: command buffer \d+ failed with status 5$/

/**
 * What makes a message the end of the run; null for any other. A failed command buffer waits for the
 * reason that ggml logs right after it: only out of memory calls for a smaller context, and who is killed
 * at the first line may never say the second. Should that be in unknown words, the next request tells.
 */
export function readBroken(message: string): ExitReason | null {
  return reasonFollows.test(message.trimEnd()) ? null : readGpuError(message)
}

/** The most telling of the lines; null when none speaks of it. */
export function gpuErrorIn(lines: readonly string[]): ExitReason | null {
  for (const { pattern, reason } of gpuErrors) {
    for (const line of lines) {
      // A text log without times keeps the letter of its level.
      const match = pattern.exec(line.replace(/^E (?=\S)/, ''))
      if (match !== null) return reason(match[1] ?? '')
    }
  }
  return null
}
