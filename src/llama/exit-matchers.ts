/** The lines by which llama-server says why it ends, and what each means for a person. Pure. */
import {
  cannotLoad,
  cannotStart,
  type ExitMatcher,
  logsHint,
  rebuildHint,
  reinstallHint,
} from './exit-matcher.ts'
import { modelMatchers } from './model-matchers.ts'

const makeRoom =
  'Close other apps, or set a smaller model.contextTokens in the config, then run oss20bd restart'
const checkFlags =
  'Correct engine.extraArgs in the config (oss20bd config shows it), then run oss20bd restart'

const badFlag = { cause: 'bad-flag', permanent: true, hint: checkFlags } as const
const noMemory = { cause: 'out-of-memory-load', permanent: false, hint: makeRoom } as const

const memoryMatchers: readonly ExitMatcher[] = [
  {
    ...noMemory,
    pattern:
      /failed to allocate (?:\S+ )?buffer|failed to allocate (?:compute|output)|failed to reserve initial output buffer|unable to allocate \S+ buffer|insufficient memory \(attempted|: failed to allocate +[\d.]+ MB/,
    message: cannotLoad('there is not enough memory for it and its context'),
  },
  {
    ...noMemory,
    pattern: /mmap failed: Cannot allocate memory|posix_memalign failed|vm_allocate failed/,
    message: cannotLoad('the operating system gives it no room in memory'),
  },
  {
    ...noMemory,
    pattern: /std::bad_alloc/,
    message: cannotLoad('its context cannot be created for want of memory'),
  },
]

/** What a user's own arguments can make go wrong. */
const flagMatchers: readonly ExitMatcher[] = [
  {
    ...badFlag,
    pattern: /failed to load (draft model|multimodal model|lora adapter),? '/,
    message: cannotStart('the % that engine.extraArgs names cannot be loaded'),
  },
  {
    ...badFlag,
    pattern: /^error: invalid argument: (\S+)/,
    message: cannotStart('it does not know the argument %'),
  },
  {
    ...badFlag,
    pattern: /^error while handling argument ("[^"]*": .*)/,
    message: cannotStart('it refuses the value of %'),
  },
  {
    ...badFlag,
    pattern:
      /^(expected value for argument|invalid device: .*|no devices specified|error: --\S+ .*)/,
    message: cannotStart('%'),
  },
  {
    ...badFlag,
    pattern: /^error: (the supplied chat template is not supported)/,
    message: cannotStart('%'),
  },
  {
    ...badFlag,
    pattern:
      /(quantized V cache .*require.*|[KV] cache type \S+ with block size .*|model does not support different K .*|SPLIT_MODE_TENSOR requires .*|n_batch and n_ubatch cannot both be zero|n_seq_max must be <= \d+)/i,
    message: cannotStart('its arguments do not go together (%)'),
  },
]

/** For a non-zero exit code. The first that matches a line wins: the special before the general. */
export const startMatchers: readonly ExitMatcher[] = [
  ...memoryMatchers,
  ...flagMatchers,
  ...modelMatchers,
  {
    cause: 'unknown',
    permanent: false,
    pattern: /couldn't (?:bind HTTP server socket|start HTTP listener)/,
    message: cannotStart('its socket SOCKET is taken, or its folder is missing or not writable'),
    hint: 'End the process that holds it (lsof shows it) or remove the file, then run oss20bd restart',
  },
  {
    cause: 'gpu-error',
    permanent: false,
    pattern:
      /(failed to build '[^']+' library|error compiling source|failed to create (?:command queue|library|Metal library from source)|failed to initialize the Metal library|failed to (?:compile pipeline|create pipeline state)|failed to initialize (?:Metal|MTL\d+) backend)/,
    message: cannotStart('its GPU code cannot be prepared (%)'),
    hint: 'Run oss20bd logs --engine for the lines before it; a newer macOS or Command Line Tools may be needed, then oss20bd build',
  },
  {
    ...noMemory,
    pattern: /failed to create[ _]context with model/,
    message: cannotLoad('its context cannot be created, most often for want of memory'),
  },
  {
    cause: 'unknown',
    permanent: false,
    pattern: /error loading model: (.+)/,
    message: cannotLoad('%'),
    hint: logsHint,
  },
  {
    cause: 'unknown',
    permanent: false,
    pattern: /exiting due to model loading error/,
    message: cannotLoad('llama-server did not say why'),
    hint: logsHint,
  },
]

/** For a death by SIGABRT: what it said before it gave up. The rest are asserts. */
export const abortMatchers: readonly ExitMatcher[] = [
  {
    cause: 'remote-lost',
    permanent: false,
    pattern: /:\d+: Failed to connect to (\S+)$/,
    message: (part) =>
      `llama-server ended: the machine ${part}, which holds a part of the model, does not answer`,
    hint: 'Start ggml-rpc-server there and check the way to it; it is tried again by itself',
  },
  {
    cause: 'remote-lost',
    permanent: false,
    pattern: /:\d+: Remote RPC server crashed or returned malformed response/,
    message: () =>
      'llama-server ended: a machine that held a part of the model went away, or answered what it does not understand',
    hint: 'Start ggml-rpc-server there again, built from the same release; it is tried again by itself',
  },
  {
    cause: 'remote-lost',
    permanent: false,
    pattern: /:\d+: RPC (?:handshake failed for (\S+)|transport initialization failed)/,
    message: (part) =>
      `llama-server ended: it cannot speak with the machine ${part === '' ? 'that is to hold' : `${part}, which is to hold`} a part of the model`,
    hint: 'Build ggml-rpc-server there from the same release; it is tried again by itself',
  },
  {
    ...badFlag,
    pattern: /:\d+: Failed to parse endpoint: (\S+)/,
    message: cannotStart('it does not understand the address % of --rpc'),
  },
  {
    cause: 'gpu-error',
    permanent: false,
    pattern: /(nil Metal pipeline|failed to wait for event)/,
    message: (part) => `llama-server ended: its GPU code failed (${part})`,
    hint: 'Run oss20bd logs --engine for the lines before it, then oss20bd build',
  },
  {
    ...noMemory,
    pattern:
      /std::bad_alloc|GGML_ASSERT\(ctx->mem_buffer != NULL\)|: failed to allocate +[\d.]+ MB|insufficient memory \(attempted/,
    message: (_part, context) =>
      `llama-server ended: the operating system gave it no more memory for ${context.modelPath}`,
  },
  {
    ...noMemory,
    pattern: /what\(\): +(Resource temporarily unavailable|Cannot allocate memory)/,
    message: (part) =>
      `llama-server ended: the operating system gave it no more threads or memory (${part})`,
  },
]

/** The loader of the operating system refuses the binary: it was moved, or its libraries are gone. */
export const loaderMatchers: readonly ExitMatcher[] = [
  {
    cause: 'engine-missing',
    permanent: true,
    pattern:
      /(error while loading shared libraries: .*|Library not loaded: .*|Symbol not found: .*|cannot execute binary file.*|Exec format error|version `GLIBC\S+' not found|Bad CPU type in executable|incompatible architecture|symbol lookup error: .*)/,
    message: (part, context) =>
      `Cannot start llama-server: ${context.file} cannot run here (${part})`,
    hint: reinstallHint,
  },
  {
    cause: 'engine-missing',
    permanent: true,
    pattern: /(required file not found|bad interpreter)/,
    message: (part, context) =>
      `Cannot start llama-server: ${context.file} cannot run here (${part})`,
    hint: rebuildHint,
  },
]
