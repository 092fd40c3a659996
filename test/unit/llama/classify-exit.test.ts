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
    [
      'gguf_init_from_reader: number of tensors is -5 but must be in [0, 9223]',
      'model-corrupt',
      'damaged',
    ],
    ['gguf_init_from_reader: failed to read header', 'model-corrupt', 'cut short'],
    [
      'gguf_init_from_reader: failed to load model: this GGUF file version 50331648 is extremely large, is there a mismatch between the host and model endianness?',
      'model-corrupt',
      'byte order',
    ],
    [
      "llama_model_load: error loading model: tensor 'output.weight' has wrong shape; expected 2880, 201088, got 2880, 1",
      'model-corrupt',
      'wrong shape',
    ],
    [
      'llama_model_load: error loading model: unexpectedly reached end of file',
      'model-corrupt',
      'cut short',
    ],
    [
      "gguf_init_from_file: failed to open GGUF file '/models/m.gguf' (Operation not permitted)",
      'model-missing',
      'Operation not permitted',
    ],
    ["srv    load_model: failed to load draft model, '/nope'", 'bad-flag', 'draft model'],
    ["srv    load_model: failed to load multimodal model, '/nope'", 'bad-flag', 'multimodal'],
    ["cmn  common_init_: failed to load lora adapter '/nope'", 'bad-flag', 'lora adapter'],
    [
      'llama_init_from_model: quantized V cache requires flash_attn to be enabled',
      'bad-flag',
      'quantized V cache',
    ],
    [
      'llama_init_from_model: failed to initialize the context: n_seq_max must be <= 256',
      'bad-flag',
      'n_seq_max',
    ],
    [
      'error: the supplied chat template is not supported: {{ foo',
      'bad-flag',
      'the supplied chat template',
    ],
    ['expected value for argument', 'bad-flag', 'expected value'],
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
    [
      'ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 138039328',
      'out-of-memory-load',
    ],
    [
      'ggml_aligned_malloc: insufficient memory (attempted to allocate 131.64 MB)',
      'out-of-memory-load',
    ],
    ['llama_model_load: error loading model: unable to allocate MTL0 buffer', 'out-of-memory-load'],
    [
      'llama_model_load: error loading model: mmap failed: Cannot allocate memory',
      'out-of-memory-load',
    ],
    [
      'llama_init_from_model: failed to initialize the context: std::bad_alloc',
      'out-of-memory-load',
    ],
    ["ggml_metal_library_compile_all: failed to build 'flash_attn' library: error", 'gpu-error'],
    [
      'ggml_metal_library_init_from_source: error compiling source: Error Domain=MTLLibraryErrorDomain Code=3',
      'gpu-error',
    ],
    ['ggml_metal_init: error: failed to create command queue', 'gpu-error'],
    ['ggml_metal_init: error: failed to initialize the Metal library', 'gpu-error'],
    [
      "gguf_init_from_file: failed to open GGUF file '/models/m.gguf' (Too many open files)",
      'unknown',
    ],
    ['llama_model_load: error loading model: read error: Input/output error', 'unknown'],
    ['llama_model_load: error loading model: error loading model vocabulary: odd', 'unknown'],
    ['srv  llama_server: exiting due to model loading error', 'unknown'],
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
    ['EAGAIN', 'system-shortage', false],
    ['EMFILE', 'system-shortage', false],
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
    [null, 'SIGABRT', 'dyld[77]: Symbol not found: _MTLCreateSystemDefaultDevice'],
    [null, 'SIGKILL', 'dyld[77]: Library not loaded: @rpath/libggml.dylib'],
    [127, null, "llama-server: /lib/libc.so.6: version `GLIBC_2.38' not found"],
    [126, null, ''],
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
    [{ exitCode: 0, lastLines: ['bye'] }, 'unknown', 'exit code 0: bye'],
    [{ exitCode: 0 }, 'unknown', '/opt/llama-server is most likely none'],
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

  const source = '/Users/me/Library/Caches/oss20bd/build/x y/src/ggml/src'

  it.each<[lines: string[], cause: ExitCause, permanent: boolean, words: string]>([
    [
      [`${source}/ggml-rpc/ggml-rpc.cpp:547: Failed to connect to 10.0.0.2:50052`],
      'remote-lost',
      false,
      '10.0.0.2:50052',
    ],
    [
      [
        `${source}/ggml-rpc/ggml-rpc.cpp:35: Remote RPC server crashed or returned malformed response`,
      ],
      'remote-lost',
      false,
      'went away',
    ],
    [
      [
        'RPC server version mismatch: 6.0.0',
        `${source}/ggml-rpc/ggml-rpc.cpp:550: RPC handshake failed for 10.0.0.2:50052`,
      ],
      'remote-lost',
      false,
      '10.0.0.2:50052',
    ],
    [
      [`${source}/ggml-rpc/ggml-rpc.cpp:539: Failed to parse endpoint: nowhere`],
      'bad-flag',
      true,
      'nowhere',
    ],
    [
      [`${source}/ggml-metal/ggml-metal-device.m:853: ggml_metal_op: nil Metal pipeline (missing)`],
      'gpu-error',
      false,
      'nil Metal pipeline',
    ],
    [
      [
        "terminate called after throwing an instance of 'std::bad_alloc'",
        '  what():  std::bad_alloc',
      ],
      'out-of-memory-load',
      false,
      'no more memory',
    ],
    [
      ['libc++abi: terminating due to uncaught exception of type std::bad_alloc: std::bad_alloc'],
      'out-of-memory-load',
      false,
      'no more memory',
    ],
    [
      [`${source}/ggml.c:1644: GGML_ASSERT(ctx->mem_buffer != NULL) failed`],
      'out-of-memory-load',
      false,
      'no more memory',
    ],
    [
      [
        "terminate called after throwing an instance of 'std::system_error'",
        '  what():  Resource temporarily unavailable',
      ],
      'out-of-memory-load',
      false,
      'threads',
    ],
    [
      [
        "terminate called after throwing an instance of 'std::runtime_error'",
        '  what():  Invalid diff',
      ],
      'assert',
      false,
      "'std::runtime_error', what():  Invalid diff",
    ],
    [
      [`${source}/ggml.c:123: GGML_ASSERT(n > 0) failed`],
      'assert',
      false,
      'inner error: ggml.c:123: GGML_ASSERT(n > 0) failed',
    ],
  ])('is told by what it said before SIGABRT: %j', (lastLines, cause, permanent, words) => {
    for (const exit of [{ exitCode: null, signal: 'SIGABRT' }, { exitCode: 134 }]) {
      const reason = classifyExit(exited({ ...exit, lastLines }), context)
      expect(reason).toMatchObject({ cause, permanent })
      expect(reason.message).toContain(words)
    }
  })

  it('is never taken for a broken binary once the engine has spoken', () => {
    const lastLines = ['srv  llama_server: initializing ...', 'dyld: Library not loaded: x']
    for (const exit of [{ exitCode: 1 }, { exitCode: null, signal: 'SIGSEGV' }]) {
      expect(classifyExit(exited({ ...exit, lastLines }), context).permanent).toBe(false)
    }
  })

  it.each([
    // Of llama-ggml-metal-init-*.log, llama-params-fit-*.log and llama-server-b81*.log.
    'ggml_metal_device_init: tensor API disabled for pre-M5 and pre-A19 devices',
    'ggml_metal_library_init: using embedded metal library',
    'ggml_metal_rsets_init: creating a residency set collection (keep_alive = 180 s)',
    'ggml_metal_device_init: recommendedMaxWorkingSetSize  = 26800.60 MB',
    'common_download_file_single_online: HEAD failed, status: 404',
    'srv    operator(): operator(): cleaning up before exit...',
    'llama_memory_breakdown_print: |   - MTL0 (Apple M5)    | 18186 = 3594 + (14590 = 11073 +    3096 +     420) +           0 |',
    'ggml_metal_free: deallocating',
    'ggml_metal_log_allocated_size: warning: current allocated size is greater than the recommended max working set size',
  ])('is not explained by a line of ordinary life: %s', (line) => {
    const causes = [{}, { exitCode: null, signal: 'SIGKILL' }, { exitCode: 134 }].map(
      (exit) => classifyExit(exited({ ...exit, lastLines: [line] }), context).cause,
    )
    expect(causes).toEqual(['unknown', 'killed-by-os', 'assert'])
  })

  it('is one of all causes that are not decided by the supervisor', () => {
    const spawnError = { errno: 'ENOENT', message: 'spawn failed' }
    const died: Partial<RawExit> = { exitCode: null, signal: 'SIGABRT' }
    const given: Readonly<
      Record<Exclude<ExitCause, 'hang' | 'asked' | 'start-timeout' | 'trial-failed'>, RawExit>
    > = {
      'model-missing': exited({
        lastLines: ["failed to open GGUF file 'x' (No such file or directory)"],
      }),
      'model-corrupt': exited({ lastLines: ['gguf_init_from_reader: failed to read magic'] }),
      'model-legacy-format': exited({ lastLines: ["invalid magic characters: 'tjgg'"] }),
      'bad-flag': exited({ lastLines: ['error: invalid argument: --x'] }),
      'out-of-memory-load': exited({ lastLines: ['failed to allocate compute pp buffers'] }),
      'gpu-out-of-memory': exited({ lastLines: ['error: Insufficient Memory'] }),
      'gpu-error': exited({ lastLines: ['ggml_metal_graph_compute: backend is in error state'] }),
      assert: exited({ ...died, lastLines: [assert] }),
      'killed-by-os': exited({ exitCode: null, signal: 'SIGKILL' }),
      signal: exited({ exitCode: null, signal: 'SIGBUS' }),
      'engine-missing': exited({ spawnError }),
      'system-shortage': exited({ spawnError: { errno: 'EMFILE', message: 'spawn failed' } }),
      'remote-lost': exited({ ...died, lastLines: ['/x.cpp:547: Failed to connect to a:1'] }),
      unknown: exited({ exitCode: 0 }),
    }
    for (const [cause, exit] of Object.entries(given)) {
      expect(classifyExit(exit, context).cause).toBe(cause)
    }
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
