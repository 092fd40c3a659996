/** The lines by which llama-server says why it ends, and what each means for a person. Pure. */
import type { ExitCause } from '../engine.ts'

/** What the words of a reason need to know. */
export interface ExitContext {
  readonly file: string
  readonly modelPath: string
  readonly socketPath: string
}

export interface ExitMatcher {
  readonly cause: ExitCause
  readonly permanent: boolean
  readonly pattern: RegExp
  /** `part` is the first group of the pattern, or the empty text. */
  readonly message: (part: string, context: ExitContext) => string
  readonly hint: string
}

const getModel =
  'Run oss20bd up to get a model, or set model.path in the config to a whole GGUF file of gpt-oss-20b'
const rebuild = 'Run oss20bd build'
const makeRoom =
  'Close other apps, or set a smaller model.contextTokens in the config, then run oss20bd restart'
const checkFlags =
  'Correct engine.extraArgs in the config (oss20bd config shows it), then run oss20bd restart'

const cannotLoad = (what: string) => (part: string, context: ExitContext) =>
  `Cannot load the model ${context.modelPath}: ${what.replace('%', part)}`
const cannotStart = (what: string) => (part: string, context: ExitContext) =>
  `Cannot start llama-server: ${what.replace('%', part).replace('SOCKET', context.socketPath)}`

const modelMissing = { cause: 'model-missing', permanent: true, hint: getModel } as const
const corrupt = { cause: 'model-corrupt', permanent: true, hint: getModel } as const
const badFlag = { cause: 'bad-flag', permanent: true, hint: checkFlags } as const
const noMemory = { cause: 'out-of-memory-load', permanent: false, hint: makeRoom } as const

/** The first that matches a line wins: the special before the general. For a non-zero exit code. */
export const startMatchers: readonly ExitMatcher[] = [
  {
    ...modelMissing,
    pattern: /failed to open GGUF file .*\((.+)\)/,
    message: cannotLoad('the file cannot be opened (%)'),
  },
  {
    cause: 'model-legacy-format',
    permanent: true,
    pattern: /invalid magic characters: '((?:tj|lm|fm|al)gg)'/,
    message: cannotLoad('it is in the GGML format from before August 2023, GGUF is needed'),
    hint: getModel,
  },
  {
    cause: 'model-legacy-format',
    permanent: true,
    pattern: /(GGUFv1) is no longer supported/,
    message: cannotLoad('it is GGUF version 1, version 2 or later is needed'),
    hint: getModel,
  },
  {
    ...corrupt,
    pattern: /this GGUF file is version (\d+) but this software only supports/,
    message: cannotLoad('it is GGUF version %, which this llama-server does not know'),
    hint: rebuild,
  },
  {
    ...corrupt,
    pattern: /GGUF file version \d+ is extremely large/,
    message: cannotLoad('it was made for a machine of the other byte order'),
  },
  {
    ...corrupt,
    pattern: /invalid magic characters: '(.{4})'/,
    message: cannotLoad("it begins with '%', not GGUF: it is not a model file"),
  },
  {
    ...corrupt,
    pattern: /failed to read magic/,
    message: cannotLoad('it is empty or a folder, a GGUF file is needed'),
  },
  {
    ...corrupt,
    pattern: /data is not within the file bounds/,
    message: cannotLoad('it is cut short'),
  },
  {
    ...corrupt,
    pattern: /failed to read (key-value pairs|tensor info|header)|bad GGUF version/,
    message: cannotLoad('its header is cut short or damaged'),
  },
  {
    ...corrupt,
    pattern: /unknown model architecture: ('[^']*')/,
    message: cannotLoad('this llama-server does not know the architecture %'),
  },
  {
    ...corrupt,
    pattern:
      /(key not found in model: \S+|missing tensor '[^']*'|tensor '[^']*' has wrong shape|wrong number of tensors)/,
    message: cannotLoad('it is not a whole gpt-oss model (%)'),
  },
  {
    ...badFlag,
    pattern: /error: invalid argument: (\S+)/,
    message: cannotStart('it does not know the argument %'),
  },
  {
    ...badFlag,
    pattern: /error while handling argument ("[^"]*": .*)/,
    message: cannotStart('it refuses the value of %'),
  },
  {
    ...badFlag,
    pattern: /^(expected value for argument|invalid device: .*|error: --\S+ .*)/,
    message: cannotStart('%'),
  },
  {
    cause: 'unknown',
    permanent: false,
    pattern: /couldn't (?:bind HTTP server socket|start HTTP listener)/,
    message: cannotStart('its socket SOCKET is taken, or its folder is not writable'),
    hint: 'End the process that holds it (lsof shows it) or remove the file, then run oss20bd restart',
  },
  {
    cause: 'gpu-error',
    permanent: false,
    pattern:
      /(failed to build '\S+' library|error compiling source|failed to create (?:command queue|library))/,
    message: cannotStart('its GPU code cannot be prepared (%)'),
    hint: 'Run oss20bd logs --engine for the lines before it; a newer macOS or Command Line Tools may be needed, then oss20bd build',
  },
  {
    ...noMemory,
    pattern:
      /(failed to allocate (?:\S+ )?buffer|failed to allocate compute|unable to allocate \S+ buffer|insufficient memory \(attempted)/,
    message: (_part, context) =>
      `Cannot load the model ${context.modelPath}: there is not enough memory for it and its context`,
  },
  {
    ...noMemory,
    pattern: /(failed to create[ _]context with model|std::bad_alloc)/,
    message: (_part, context) =>
      `Cannot load the model ${context.modelPath}: its context cannot be created, most often for want of memory`,
  },
]

/** Trouble with the GPU, whichever way the process ended afterwards. */
export const gpuMatchers: readonly ExitMatcher[] = [
  {
    cause: 'gpu-out-of-memory',
    permanent: false,
    pattern: /kIOGPUCommandBufferCallbackErrorOutOfMemory|error: Insufficient Memory/,
    message: () => 'llama-server ended: the GPU ran out of memory',
    hint: makeRoom,
  },
  {
    cause: 'gpu-error',
    permanent: false,
    pattern: /(kIOGPUCommandBufferCallbackError\w+|Caused GPU Hang Error)/,
    message: (part) => `llama-server ended: the GPU gave up its work (${part})`,
    hint: 'Nothing, when it is rare; when it comes back, set a smaller model.contextTokens in the config',
  },
  {
    cause: 'gpu-error',
    permanent: false,
    pattern: /command buffer \d+ failed with status|backend is in error state/,
    message: () => 'llama-server ended: the GPU gave up its work',
    hint: 'Nothing, when it is rare; when it comes back, set a smaller model.contextTokens in the config',
  },
]

/** The loader of the operating system refuses the binary: it was moved, or its libraries are gone. */
export const loaderMatchers: readonly ExitMatcher[] = [
  {
    cause: 'engine-missing',
    permanent: true,
    pattern:
      /(error while loading shared libraries: .*|Library not loaded: .*|Symbol not found: .*|cannot execute binary file|version `GLIBC\S+' not found|Bad CPU type in executable|incompatible architecture)/,
    message: (part, context) =>
      `Cannot start llama-server: ${context.file} cannot run here (${part})`,
    hint: 'Run oss20bd build, or set engine.path in the config to an installed llama-server',
  },
]
