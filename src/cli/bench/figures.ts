/** What one run of `oss20bd bench` found. Types only. Unknown is null, never 0; speeds are tokens per second. */

interface BenchMachine {
  /** `Apple M4 Max`. */
  readonly chip: string | null
  readonly cores: number | null
  readonly memoryBytes: number
}

/** One prompt length: medians of the rounds. */
export interface DepthFigures {
  /** The length that was meant, and the tokens of the prompt as the engine counted them. */
  readonly askedTokens: number
  readonly depthTokens: number
  readonly promptPerSecond: number | null
  readonly generatedPerSecond: number | null
  /** To the first token, for a prompt that is new to the engine and for one that it has just read. */
  readonly firstToken: {
    readonly coldMs: number
    readonly warmMs: number
    /** The same without the port: on the socket of the engine. */
    readonly directColdMs: number
    readonly directWarmMs: number
  }
  readonly directPromptPerSecond: number | null
  readonly directGeneratedPerSecond: number | null
}

/** So many requests at the same moment. */
export interface ParallelFigures {
  readonly requests: number
  /** Of all of them together, from the first byte sent to the last byte come. */
  readonly generatedPerSecond: number
  readonly slowestFirstTokenMs: number
}

export interface BenchFigures {
  /** ISO 8601. */
  readonly at: string
  readonly machine: BenchMachine
  readonly model: { readonly name: string; readonly sizeBytes: number; readonly testModel: boolean }
  readonly contextTokens: number | null
  readonly slots: number | null
  readonly engineVersion: string | null
  readonly oss20bdVersion: string
  readonly rounds: number
  readonly generateTokens: number
  readonly depths: readonly DepthFigures[]
  readonly parallel: readonly ParallelFigures[]
  readonly memory: {
    /** The most that the engine took, and the least that was left, of the looks taken meanwhile. */
    readonly peakFootprintBytes: number | null
    readonly leastAvailableBytes: number | null
    readonly looks: number
  }
}
