import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExitCause, RawExit } from '../../../src/engine.ts'
import { classifyExit } from '../../../src/llama/classify-exit.ts'

const context = {
  file: '/opt/llama-server',
  modelPath: '/models/m.gguf',
  socketPath: '/run/engine.sock',
}
const loadFailure = [
  'llama_model_load_from_file_impl: failed to load model',
  "cmn  common_init_: failed to load model '/models/m.gguf'",
  "srv    load_model: failed to load model, '/models/m.gguf'",
  'srv    operator(): operator(): cleaning up before exit...',
  'srv  llama_server: exiting due to model loading error',
]

function exited(change: Partial<RawExit>): RawExit {
  return { exitCode: 1, signal: null, lastLines: [], spawnError: null, ...change }
}

describe('a start that fails', () => {
  it.each<[line: string, cause: ExitCause, words: string]>([
    [
      "gguf_init_from_file: failed to open GGUF file '/models/m.gguf' (No such file or directory)",
      'model-missing',
      'No such file',
    ],
    [
      "gguf_init_from_file: failed to open GGUF file '/models/m.gguf' (Permission denied)",
      'model-missing',
      'Permission denied',
    ],
    [
      "gguf_init_from_reader: invalid magic characters: 'HELL', expected 'GGUF'",
      'model-corrupt',
      "begins with 'HELL'",
    ],
    [
      "gguf_init_from_reader: invalid magic characters: 'tjgg', expected 'GGUF'",
      'model-legacy-format',
      'GGML',
    ],
    [
      "gguf_init_from_reader: invalid magic characters: 'lmgg', expected 'GGUF'",
      'model-legacy-format',
      'GGML',
    ],
    [
      "gguf_init_from_reader: invalid magic characters: 'fmgg', expected 'GGUF'",
      'model-legacy-format',
      'GGML',
    ],
    [
      "gguf_init_from_reader: invalid magic characters: 'algg', expected 'GGUF'",
      'model-legacy-format',
      'GGML',
    ],
    [
      'gguf_init_from_reader: GGUFv1 is no longer supported, please use a more up-to-date version',
      'model-legacy-format',
      'version 1',
    ],
    [
      'gguf_init_from_reader: this GGUF file is version 4 but this software only supports up to version 3',
      'model-corrupt',
      'version 4',
    ],
    ['gguf_init_from_reader: failed to read magic', 'model-corrupt', 'empty'],
    ['gguf_init_from_reader: failed to read key-value pairs', 'model-corrupt', 'cut short'],
    [
      "llama_model_load: error loading model: tensor 'blk.1.ffn_up_exps.weight' data is not within the file bounds, model is corrupted or incomplete",
      'model-corrupt',
      'cut short',
    ],
    [
      "llama_model_load: error loading model: unknown model architecture: 'gpt-next'",
      'model-corrupt',
      "'gpt-next'",
    ],
    [
      'llama_model_load: error loading model: key not found in model: gpt-oss.expert_count',
      'model-corrupt',
      'gpt-oss.expert_count',
    ],
    [
      "llama_model_load: error loading model: missing tensor 'output.weight'",
      'model-corrupt',
      'output.weight',
    ],
    [
      'llama_model_load: error loading model: wrong number of tensors; expected 459, got 458',
      'model-corrupt',
      'wrong number',
    ],
    ['error: invalid argument: --bogus-flag', 'bad-flag', '--bogus-flag'],
    ['error while handling argument "-c": stoi', 'bad-flag', '"-c": stoi'],
  ])('is permanent after %j: %s', (line, cause, words) => {
    const reason = classifyExit(exited({ lastLines: [line, ...loadFailure] }), context)
    expect(reason).toMatchObject({ cause, permanent: true })
    expect(reason.message).toContain(words)
    expect(reason.hint).not.toBeNull()
  })

  it.each<[line: string, cause: ExitCause]>([
    [
      'ggml_metal_buffer_init: error: failed to allocate buffer, size = 10949.40 MiB',
      'out-of-memory-load',
    ],
    [
      'ggml_backend_metal_buffer_type_alloc_buffer: error: failed to allocate Metal buffer of 99 bytes (out of memory)',
      'out-of-memory-load',
    ],
    ['alloc_tensor_range: failed to allocate CPU buffer of size 25600000000', 'out-of-memory-load'],
    [
      'llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache',
      'out-of-memory-load',
    ],
    [
      'llama_init_from_model: failed to initialize the context: failed to allocate compute pp buffers',
      'out-of-memory-load',
    ],
    ["srv    load_model: failed to create_context with model 'ok.gguf'", 'out-of-memory-load'],
    ["ggml_metal_library_compile_all: failed to build 'flash_attn' library: error", 'gpu-error'],
    [
      "srv         start: couldn't bind HTTP server socket, hostname: /run/engine.sock, port: 8080",
      'unknown',
    ],
  ])('may be tried again after %j', (line, cause) => {
    const reason = classifyExit(exited({ lastLines: [line, ...loadFailure] }), context)
    expect(reason).toMatchObject({ cause, permanent: false })
  })

  it.each([
    ['ENOENT', 'engine-missing', true],
    ['EACCES', 'engine-missing', true],
    ['EAGAIN', 'unknown', false],
    [null, 'unknown', false],
  ] as const)('is %s of the operating system: %s', (errno, cause, permanent) => {
    const spawnError = { errno, message: 'spawn failed' }
    const reason = classifyExit(exited({ exitCode: null, spawnError }), context)
    expect(reason).toMatchObject({ cause, permanent })
    expect(reason.message).toContain(context.file)
  })

  it.each([
    [
      127,
      null,
      'llama-server: error while loading shared libraries: libggml.so: cannot open shared object file',
    ],
    [null, 'SIGABRT', 'dyld[77]: Library not loaded: @rpath/libggml.dylib'],
    [126, null, 'sh: cannot execute binary file'],
  ])('is a binary that cannot run here (%s, %s)', (exitCode, signal, line) => {
    const reason = classifyExit(exited({ exitCode, signal, lastLines: [line] }), context)
    expect(reason).toMatchObject({ cause: 'engine-missing', permanent: true })
  })
})

describe('a run that ends', () => {
  const assert = '/src/ggml/src/ggml.c:123: GGML_ASSERT(n > 0) failed'

  it.each<[exit: Partial<RawExit>, cause: ExitCause, words: string]>([
    [{ exitCode: null, signal: 'SIGKILL' }, 'killed-by-os', 'memory'],
    [{ exitCode: 137 }, 'killed-by-os', 'memory'],
    [
      { exitCode: null, signal: 'SIGABRT', lastLines: [assert, 'x'] },
      'assert',
      'GGML_ASSERT(n > 0)',
    ],
    [{ exitCode: 134, lastLines: [assert] }, 'assert', 'GGML_ASSERT'],
    [{ exitCode: null, signal: 'SIGABRT' }, 'assert', 'inner error'],
    [{ exitCode: null, signal: 'SIGSEGV' }, 'signal', 'crashed (SIGSEGV)'],
    [{ exitCode: 139 }, 'signal', 'SIGSEGV'],
    [{ exitCode: null, signal: 'SIGILL' }, 'signal', 'another processor'],
    [{ exitCode: null, signal: 'SIGTERM' }, 'signal', 'from outside'],
    [{ exitCode: 0 }, 'unknown', 'exit code 0'],
    [
      { exitCode: 3, lastLines: ['some error: odd', 'bye'] },
      'unknown',
      'exit code 3: some error: odd',
    ],
    [{ exitCode: 1, lastLines: ['EOF on stdin detected, forcing shutdown...'] }, 'unknown', 'EOF'],
  ])('is told by %j: %s', (exit, cause, words) => {
    const reason = classifyExit(exited(exit), context)
    expect(reason).toMatchObject({ cause, permanent: false })
    expect(reason.message).toContain(words)
  })

  it.each<[lines: string[], cause: ExitCause]>([
    [
      ['error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)'],
      'gpu-out-of-memory',
    ],
    [
      [
        'ggml_metal_synchronize: error: command buffer 0 failed with status 5',
        'error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)',
        'ggml_metal_graph_compute: backend is in error state from a previous command buffer failure - recreate the backend to recover',
      ],
      'gpu-out-of-memory',
    ],
    [
      [
        'error: Impacting Interactivity (0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)',
      ],
      'gpu-error',
    ],
    [['ggml_metal_synchronize: error: command buffer 0 failed with status 5'], 'gpu-error'],
  ])('is blamed on the GPU, whatever killed it after %j', (lastLines, cause) => {
    for (const exit of [{ exitCode: null, signal: 'SIGKILL' }, { exitCode: 1 }]) {
      expect(classifyExit(exited({ ...exit, lastLines }), context).cause).toBe(cause)
    }
  })

  it('is not blamed on a start that went on, when it died of a signal', () => {
    const lastLines = ['common_fit_params: failed to create context with model']
    const reason = classifyExit(exited({ exitCode: null, signal: 'SIGKILL', lastLines }), context)
    expect(reason.cause).toBe('killed-by-os')
  })

  it('always gets words for a person, without a full stop', () => {
    const anyExit = fc.record({
      exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
      signal: fc.option(fc.constantFrom('SIGKILL', 'SIGABRT', 'SIGBUS', 'SIGXCPU')),
      lastLines: fc.array(fc.string(), { maxLength: 5 }),
      spawnError: fc.option(fc.record({ errno: fc.option(fc.string()), message: fc.string() })),
    })
    fc.assert(
      fc.property(anyExit, (exit) => {
        const { message, hint } = classifyExit(exit, context)
        expect(message.length).toBeGreaterThan(10)
        expect(hint?.endsWith('.') ?? false).toBe(false)
      }),
    )
  })
})
