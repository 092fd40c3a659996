import { describe, expect, it } from 'vitest'
import {
  type LlamaServerOptions,
  serverArgs,
  serverEnvironment,
} from '../../../src/llama/server-args.ts'

const options: LlamaServerOptions = {
  file: '/engines/current/bin/llama-server',
  modelPath: '/models/m.gguf',
  alias: 'gpt-oss-20b',
  socketPath: '/run/engine.sock',
  contextTokens: 32_768,
  slots: 1,
  cacheType: 'f16',
  cacheRamMiB: 1024,
  extraArgs: [],
  xdgConfigHome: '/home/me/engine-config',
}

function valueOf(args: readonly string[], name: string): string | undefined {
  return args[args.indexOf(name) + 1]
}

describe('serverArgs', () => {
  it.each([
    ['--model', '/models/m.gguf'],
    ['--alias', 'gpt-oss-20b'],
    ['--host', '/run/engine.sock'],
    ['--ctx-size', '32768'],
    ['--parallel', '1'],
    ['--cache-type-k', 'f16'],
    ['--cache-type-v', 'f16'],
    ['--cache-ram', '1024'],
    ['--log-verbosity', '4'],
  ])('passes %s, whose default would not do', (name, value) => {
    expect(valueOf(serverArgs(options), name)).toBe(value)
  })

  it("puts the user's own arguments last, so that they win", () => {
    const args = serverArgs({ ...options, extraArgs: ['--ctx-size', '4096'] })
    expect(args.slice(-2)).toEqual(['--ctx-size', '4096'])
  })
})

describe('serverEnvironment', () => {
  it('drops what could change or leak what we ask for, and keeps what the GPU needs', () => {
    const inherited = {
      PATH: '/bin',
      HOME: '/home/me',
      TMPDIR: '/tmp',
      LANG: 'de_DE.UTF-8',
      LLAMA_ARG_CTX_SIZE: '1',
      LLAMA_API_KEY: 'secret',
      HF_TOKEN: 'secret',
      GGML_METAL_NO_RESIDENCY: '1',
      XDG_CONFIG_HOME: '/home/me/.config',
    }
    expect(serverEnvironment(options, inherited, { safeMode: false })).toEqual({
      PATH: '/bin',
      HOME: '/home/me',
      TMPDIR: '/tmp',
      LANG: 'C',
      GGML_METAL_NO_RESIDENCY: '1',
      GGML_NO_BACKTRACE: '1',
      LLAMA_SERVER_ROUTER_PORT: '1',
      XDG_CONFIG_HOME: '/home/me/engine-config',
    })
  })
})
