/** llama-server, described for the supervisor: the one Engine there is. */
import type { Engine } from '../engine.ts'
import { classifyExit } from './classify-exit.ts'
import { readLine } from './log-lines.ts'
import { type LlamaServerOptions, serverArgs, serverEnvironment } from './server-args.ts'

export type LlamaEngineOptions = LlamaServerOptions

/** `environment` is where PATH, HOME, TMPDIR and the `GGML_METAL_*` switches are taken from. */
export function createLlamaEngine(
  options: LlamaEngineOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Engine {
  return {
    command: {
      file: options.file,
      args: serverArgs(options),
      env: serverEnvironment(options, environment),
    },
    socketPath: options.socketPath,
    readLine,
    classifyExit: (exit) => classifyExit(exit, options),
    politeExitLine: 'cmd_router_to_child:exit',
    // It answers 503 while it loads. Once loaded it proves nothing: it is 200 with a dead GPU.
    healthPath: '/health',
    canary: {
      path: '/v1/completions',
      json: { prompt: 'Hi', max_tokens: 1, cache_prompt: false },
    },
  }
}
