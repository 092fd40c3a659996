/** What llama-server says, while it loads, of how it was built and where it puts the model. Pure. */

/** null = it has not said so. */
export interface LoadReport {
  /** Compiled without optimisation: many times slower. */
  readonly isDebug: boolean | null
  /** Weights by where they are. */
  readonly gpuBytes: number | null
  readonly cpuBytes: number | null
}

const MIB = 2 ** 20

/**
 * From the messages of its log, the newest first, back to the beginning of its last run. That it "offloaded 25/25
 * layers to GPU" it says without any GPU too, so the sizes of the buffers are what counts.
 */
export class LoadReader {
  #isDebug: boolean | null = null
  #gpuBytes: number | null = null
  #cpuBytes: number | null = null

  /** False once the beginning of the run has been read: no older line is of it. */
  take(message: string): boolean {
    // `common_params_print_info: build 1 (de3ff81) with GNU 12.2.0 for Linux x86_64 (debug)`
    const build = /common_params_print_info: build .* for .*?( \(debug\))?$/.exec(message)
    if (build !== null) {
      this.#isDebug = build[1] !== undefined
      return false
    }
    // `load_tensors:  MTL0_Mapped model buffer size = 11536.18 MiB`
    const buffer = /load_tensors: +(\S+) model buffer size = +(\d+(?:\.\d+)?) MiB/.exec(message)
    if (buffer === null) return true
    const bytes = Math.round(Number(buffer[2]) * MIB)
    if (/^(?:CPU|BLAS)/.test(buffer[1] ?? '')) this.#cpuBytes = (this.#cpuBytes ?? 0) + bytes
    else this.#gpuBytes = (this.#gpuBytes ?? 0) + bytes
    return true
  }

  report(): LoadReport {
    const isLoaded = this.#gpuBytes !== null || this.#cpuBytes !== null
    return {
      isDebug: this.#isDebug,
      gpuBytes: isLoaded ? (this.#gpuBytes ?? 0) : null,
      cpuBytes: isLoaded ? (this.#cpuBytes ?? 0) : null,
    }
  }
}
