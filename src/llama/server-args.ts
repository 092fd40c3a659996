/** What we want of llama-server, as its command line and its whole environment. Pure. */
import type { EngineProfile } from '../engine.ts'

export interface LlamaServerOptions {
  /** The llama-server binary. */
  readonly file: string
  readonly modelPath: string
  /** The model name that its answers carry. */
  readonly alias: string
  /** A unix socket, in a folder that only we can enter: that stands in for an API key. */
  readonly socketPath: string
  /** Of one conversation. */
  readonly contextTokens: number
  readonly slots: number
  /** Of keys and values alike. */
  readonly cacheType: 'f16' | 'q8_0'
  /** What its prompt cache may take of host memory; its own default is 8192. */
  readonly cacheRamMiB: number
  /** The user's own; they come last, so they win. */
  readonly extraArgs: readonly string[]
  /** A folder of ours in place of `~/.config`, so that no `llama.cpp/config.ini` changes what we ask for. */
  readonly xdgConfigHome: string
}

/** Every value that matters is passed: the defaults (`-c`, `-np`, `--cache-ram`) fill a 32 GiB Mac. */
export function serverArgs(options: LlamaServerOptions): string[] {
  const { contextTokens, slots } = options
  const groups: readonly (readonly string[])[] = [
    ['--model', options.modelPath, '--alias', options.alias, '--host', options.socketPath],
    // The engine divides what it is given among its slots.
    ['--ctx-size', String(contextTokens * slots), '--parallel', String(slots)],
    // "all" is accepted, and changes nothing, where there is no GPU.
    ['--n-gpu-layers', 'all', '--flash-attn', 'on'],
    ['--cache-type-k', options.cacheType, '--cache-type-v', options.cacheType],
    ['--batch-size', '2048', '--ubatch-size', '512', '--cache-ram', String(options.cacheRamMiB)],
    ['--jinja', '--metrics', '--slots', '--no-ui', '--offline'],
    // 4 is where the lines on tensors, KV cache and Metal are; from 5 on it prints whole prompts.
    ['--log-jsonl', '--log-verbosity', '4', '--log-colors', 'off'],
    options.extraArgs,
  ]
  return groups.flat()
}

type Environment = Readonly<Record<string, string | undefined>>

/** Passed on as they are. */
const keptNames = new Set(['PATH', 'HOME', 'TMPDIR'])

/**
 * The whole environment. Left out on purpose: `LLAMA_ARG_*`, `LLAMA_API_KEY` and `HF_TOKEN`, which
 * would change what was asked for, or leak. Kept: `GGML_METAL_*`, the user's switches for the GPU.
 */
export function serverEnvironment(
  options: Pick<LlamaServerOptions, 'xdgConfigHome'>,
  inherited: Environment,
  profile: Pick<EngineProfile, 'safeMode'>,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(inherited)) {
    const kept = keptNames.has(name) || name.startsWith('GGML_METAL_')
    if (kept && value !== undefined) environment[name] = value
  }
  return {
    ...environment,
    // The newest of ggml's GPU code: the first suspect when the GPU fails again and again.
    ...(profile.safeMode ? { GGML_METAL_TENSOR_DISABLE: '1' } : {}),
    LANG: 'C',
    XDG_CONFIG_HOME: options.xdgConfigHome,
    // Any value makes it tell load progress on stdout and leave when its stdin ends.
    LLAMA_SERVER_ROUTER_PORT: '1',
    // The backtrace of an abort starts a debugger, which can hang.
    GGML_NO_BACKTRACE: '1',
  }
}
