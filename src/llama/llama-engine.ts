/** llama-server, described for the supervisor: the one Engine there is. */
import type { Engine, EngineProfile } from '../engine.ts'
import { classifyExit } from './classify-exit.ts'
import { readCounters } from './counters.ts'
import { withProfile } from './engine-profile.ts'
import { lineReader } from './log-lines.ts'
import { type LlamaServerOptions, serverArgs, serverEnvironment } from './server-args.ts'
import { describeSlots } from './slots.ts'

export type LlamaEngineOptions = LlamaServerOptions

/** `environment` is where PATH, HOME, TMPDIR and the `GGML_METAL_*` switches are taken from. */
export function createLlamaEngine(
  options: LlamaEngineOptions,
  profile: EngineProfile,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Engine {
  return {
    command: {
      file: options.file,
      args: serverArgs(withProfile(options, profile)),
      env: serverEnvironment(options, environment, profile),
    },
    socketPath: options.socketPath,
    readLine: lineReader(options.extraArgs.includes('--no-log-jsonl') ? 'text' : 'jsonl'),
    classifyExit: (exit) => classifyExit(exit, options),
    politeExitLine: 'cmd_router_to_child:exit',
    // It answers 503 while it loads. Once loaded it proves nothing: it is 200 with a dead GPU.
    healthPath: '/health',
    canary: {
      path: '/v1/completions',
      json: { prompt: 'Hi', max_tokens: 1, cache_prompt: false },
    },
    countersPath: '/metrics',
    readCounters,
    slotsPath: '/slots',
    describeSlots,
  }
}
