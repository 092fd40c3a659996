import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lineReader, readLine } from '../../../src/llama/log-lines.ts'

const secret = 'Zebra-Quartz'

function jsonLine(level: string, message: string): string {
  return JSON.stringify({ type: 'log', time: 12_345, level, msg: `${message}\n` })
}

describe('log lines', () => {
  it.each([
    ['error', 'error'],
    ['warn', 'warn'],
    ['info', 'info'],
    ['cont', 'info'],
    ['none', 'info'],
  ])('reads the JSON level %s as %s', (word, level) => {
    expect(readLine(jsonLine(word, 'srv  llama_server: model loaded'))).toEqual({
      level,
      text: 'srv  llama_server: model loaded',
      facts: [],
    })
  })

  it.each([
    [
      '0.00.011.305 I srv  llama_server: initializing ...',
      'info',
      'srv  llama_server: initializing ...',
    ],
    [
      "0.01.000.000 E srv         start: couldn't bind",
      'error',
      "srv         start: couldn't bind",
    ],
    ['0.01.000.000 W load: odd', 'warn', 'load: odd'],
    ['error: invalid argument: --bogus-flag', 'error', 'error: invalid argument: --bogus-flag'],
    [
      'error while handling argument "-c": stoi',
      'error',
      'error while handling argument "-c": stoi',
    ],
    [
      '/src/ggml/src/ggml.c:123: GGML_ASSERT(x) failed',
      'error',
      '/src/ggml/src/ggml.c:123: GGML_ASSERT(x) failed',
    ],
    [
      "terminate called after throwing an instance of 'std::bad_alloc'",
      'error',
      "terminate called after throwing an instance of 'std::bad_alloc'",
    ],
    [
      'dyld[4242]: Library not loaded: @rpath/libggml.dylib',
      'error',
      'dyld[4242]: Library not loaded: @rpath/libggml.dylib',
    ],
    ['ggml_metal_init: allocating', 'debug', 'ggml_metal_init: allocating'],
    [
      '/Users/me/Application Support/ggml.c:12: GGML_ASSERT(x) failed',
      'error',
      '/Users/me/Application Support/ggml.c:12: GGML_ASSERT(x) failed',
    ],
    [
      'libc++abi: terminating due to uncaught exception of type std::bad_alloc: std::bad_alloc',
      'error',
      'libc++abi: terminating due to uncaught exception of type std::bad_alloc: std::bad_alloc',
    ],
    ['', 'debug', ''],
  ])('reads %j', (line, level, text) => {
    expect(readLine(line)).toEqual({ level, text, facts: [] })
  })

  it('makes one line without colours of a message of several', () => {
    const line = readLine(jsonLine('info', 'sampler params: \n\ttop_k = 1\n\u001b[31mred\u001b[0m'))
    expect(line.text).toBe('sampler params: / top_k = 1 / red')
  })
})

it('what it says again after each reading of its counters is for debugging', () => {
  const line = readLine('0.00.011.305 I srv  update_slots: all slots are idle')
  expect(line).toEqual({ level: 'debug', text: 'srv  update_slots: all slots are idle', facts: [] })
})

describe('child protocol', () => {
  const state = (json: string): string => `cmd_child_to_router:state:${json}`

  it.each([
    [
      '{"state":"loading","payload":{"stages":["text_model"],"current":"text_model","value":0.25}}',
      0.25,
    ],
    ['{"state":"loading","payload":{"stages":["a","b"],"current":"b","value":0.5}}', 0.75],
    ['{"state":"loading","payload":{"value":7}}', 1],
    ['{"state":"loading","payload":{"value":-1}}', 0],
  ])('reads the progress of %s', (json, value) => {
    expect(readLine(state(json)).facts).toEqual([{ kind: 'load-progress', value }])
  })

  it('reads that the model is loaded', () => {
    expect(readLine(state('{"state":"ready","payload":{"id":"gpt-oss-20b"}}')).facts).toEqual([
      { kind: 'loaded' },
    ])
  })

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"state":"loading"}',
    '{"state":"loading","payload":{"value":"1"}}',
    '{"state":"sleeping"}',
  ])('takes nothing from %j', (json) => {
    expect(readLine(state(json)).facts).toEqual([])
  })
})

describe('a GPU that is lost', () => {
  // Facts 4.2, ggml-metal-context.m:273-293,476, and the captures of a Mac.
  const failed = 'ggml_metal_synchronize: error: command buffer 0 failed with status 5'
  const outOfMemory =
    'error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)'
  const lines: [message: string, cause: string, words: string][] = [
    [failed.replace('status 5', 'status 4'), 'gpu-error', 'gave up'],
    [outOfMemory, 'gpu-out-of-memory', 'out of memory'],
    [
      'error: Nicht genug Speicher (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)',
      'gpu-out-of-memory',
      'out of memory',
    ],
    [
      'error: Impacting Interactivity (0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)',
      'gpu-error',
      'ImpactingInteractivity',
    ],
    [
      'error: Caused GPU Hang Error (00000003:kIOGPUCommandBufferCallbackErrorHang)',
      'gpu-error',
      'Hang',
    ],
    ['error: Caused GPU Hang Error', 'gpu-error', 'GPU Hang'],
    ['error: Internal Error (0000000e:Internal Error)', 'gpu-error', 'Internal Error'],
    [
      'ggml_metal_graph_compute: backend is in error state from a previous command buffer failure - recreate the backend to recover',
      'gpu-error',
      'gave up',
    ],
  ]

  it.each(lines)('is told by %s', (message, cause, words) => {
    const reason = { cause, permanent: false, message: expect.stringContaining(words) }
    const fact = { kind: 'broken', reason: expect.objectContaining(reason) }
    const json = jsonLine('error', message)
    expect(lineReader('jsonl')(json).facts).toEqual([fact])
    expect(lineReader('jsonl')(json, 'stdout').facts).toEqual([fact])
    for (const line of [json, message, `E ${message}`, `0.01.000.000 E ${message}`]) {
      expect(readLine(line).facts).toEqual([fact])
      expect(readLine(line).text).toContain(message)
    }
  })

  it('is told by the reason of a failed command buffer, not by the line before it', () => {
    const facts = [failed, outOfMemory].map((message) =>
      lineReader('jsonl')(jsonLine('error', message)).facts.map((fact) => fact.kind),
    )
    expect(facts).toEqual([[], ['broken']])
    expect(readLine(`E ${failed}`)).toEqual({ level: 'error', text: `E ${failed}`, facts: [] })
  })

  it.each([
    'ggml_metal_log_allocated_size: warning: current allocated size is greater than the recommended max working set size',
    'ggml_metal_device_init: recommendedMaxWorkingSetSize  = 22906.50 MB',
    'ggml_metal_rsets_init: creating a residency set collection (keep_alive = 180 s)',
    'ggml_metal_init: error: failed to create command queue',
    'ggml_metal_free: deallocating',
    'llama_decode: failed to decode, ret = -3',
    'srv        decode: Compute error. off = 0, n_batch = 512, ret = -3',
    'error: invalid argument: --bogus-flag',
    "error: failed to open file '/nope'",
  ])('is not told by %s', (message) => {
    for (const level of ['error', 'warn', 'info']) {
      expect(readLine(jsonLine(level, message)).facts).toEqual([])
    }
    expect(readLine(message).facts).toEqual([])
  })

  const echoes = lines.flatMap(([message]) => [
    jsonLine('debug', message),
    jsonLine('warn', `common_chat_peg_parse: unparsed peg-native output: ${message}`),
    jsonLine('warn', `common_chat_peg_parse: unparsed peg-native output: x\n${message}`),
    jsonLine('error', `srv    send_error: task id = 5, error: ${message}`),
    jsonLine('error', `srv    send_error: task id = 5, error: x\n${message}`),
    jsonLine('error', ` ${message}`),
    jsonLine('info', message),
    `0.01.000.000 D ${message}`,
    `0.01.000.000 W unparsed peg-native output: ${message}`,
    `parse: error parsing grammar: expecting ::= at ${message}`,
    `WARNING: JSON schema conversion was incomplete: ${message}`,
    `root ::= "${message}"`,
    `{"msg":"${message}"}`,
  ])

  it.each(echoes)('is not told by words of a user or the model: %s', (line) => {
    expect(readLine(line).facts).toEqual([])
    expect(lineReader('jsonl')(line).facts).toEqual([])
  })

  // llama-server echoes a grammar that it cannot parse to stderr as it is, line by line.
  it.each([...lines.map(([message]) => message), failed])(
    'is not told, nor logged, by a line of an echoed grammar: %s',
    (message) => {
      const read = lineReader('jsonl')
      for (const line of [message, `E ${message}`, `0.01.000.000 E ${message}`]) {
        expect(read(line)).toMatchObject({
          text: `(${line.length} characters not logged)`,
          facts: [],
        })
      }
      expect(read(jsonLine('error', message), 'stderr').facts).toEqual([])
      expect(read('cmd_child_to_router:state:{"state":"ready"}', 'stderr').facts).toEqual([])
    },
  )
})

describe('privacy', () => {
  it.each([
    `common_chat_peg_parse: unparsed peg-native output: ${secret}\nsecond line ${secret}`,
    `anthropic string not as expected: x-header: ${secret}`,
    `Skipping tool without function: {"name":"${secret}"}`,
    `Tool call mismatch: prev='${secret}' new='${secret}'`,
    `srv  server_chat_: unsupported Responses tool type '${secret}' skipped`,
    `common_sampler_init: error initializing grammar sampler for grammar:\nroot ::= ${secret}\n\nGeneration prompt:\n'${secret}'`,
    `srv    operator(): got exception: {"error":{"code":500,"message":"Failed to parse tools: Unsupported tool type: {\\"name\\":\\"${secret}\\"}","type":"server_error"}}`,
    `srv    operator(): got exception: {"error":{"code":500,"message":"[json.exception.parse_error.101] parse error at line 1, column 5: last read: '${secret}'","type":"server_error"}}`,
    `srv    operator(): got another exception: x | while handling exception: ${secret}`,
    `srv    send_error: task id = 5, error: Failed to format input: ${secret}`,
    `slot update_slots: id  0 | task 1 | got exception: Unexpected empty grammar stack after accepting piece: ${secret}`,
    `srv  handle_media: downloading image from 'http://host/${secret}'`,
    `got exception: Failed: ${secret} Tool call mismatch: prev`,
    `unparsed peg-native output: ${secret} got exception: x`,
    `libc++abi: terminating due to uncaught exception of type std::runtime_error: Failed: ${secret}`,
  ])('never passes on what a user or the model wrote: %s', (message) => {
    for (const line of [jsonLine('warn', message), `0.01.000.000 W ${message.split('\n')[0]}`]) {
      expect(readLine(line).text).not.toContain(secret)
      expect(readLine(line).text.length).toBeGreaterThan(10)
    }
  })

  it.each([
    `parse: error parsing grammar: expecting ::= at ${secret}`,
    `root ::= "${secret}"`,
    `${secret} [[[`,
    `Alice: ${secret}`,
    `${secret}: some words`,
    `errors ${secret}`,
    `available ${secret}`,
    `  what():  Unexpected empty grammar stack: ${secret}`,
    `WARNING: JSON schema conversion was incomplete: ${secret}`,
  ])('never passes on a raw line of content: %s', (line) => {
    expect(readLine(line).text).not.toContain(secret)
  })

  it('keeps the code and the kind of an error', () => {
    const message = `got exception: {"error":{"code":500,"message":"Failed to parse tools: ${secret}","type":"server_error"}}`
    expect(readLine(jsonLine('warn', message)).text).toBe(
      'got exception: 500 Failed to parse tools',
    )
  })

  it('cuts the content of a line that was too long to be whole', () => {
    const line = jsonLine('warn', `unparsed peg-native output: ${secret.repeat(2000)}`).slice(
      0,
      16_384,
    )
    const read = readLine(line)
    expect(read.level).toBe('warn')
    expect(read.text).toMatch(/^unparsed peg-native output: \(\d+ characters not logged\)$/)
  })

  it('drops whole debug lines, which hold requests and answers', () => {
    expect(
      readLine(jsonLine('debug', `srv  log: request:  {"prompt":"${secret}"}`)).text,
    ).not.toContain(secret)
    expect(readLine(`0.01.000.000 D srv  log: response: ${secret}`).text).not.toContain(secret)
  })
})

describe('any line at all', () => {
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.json(),
    fc.string().map((text) => `cmd_child_to_router:state:${text}`),
    fc.json().map((text) => `cmd_child_to_router:state:${text}`),
    fc
      .record({ type: fc.constant('log'), level: fc.anything(), msg: fc.anything() })
      .map((value) => {
        try {
          return JSON.stringify(value)
        } catch {
          return '{"type":"log"'
        }
      }),
    fc.string({ maxLength: 50 }).map((text) => text.repeat(400)),
  )

  it('is read without a throw, as one bounded line with progress between 0 and 1', () => {
    fc.assert(
      fc.property(garbage, (line) => {
        const { text, facts } = readLine(line)
        expect(text.length).toBeLessThan(2100)
        for (const control of ['\n', '\r', '\u001b']) expect(text).not.toContain(control)
        for (const fact of facts) {
          if (fact.kind !== 'load-progress') continue
          expect(fact.value).toBeGreaterThanOrEqual(0)
          expect(fact.value).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  it('is read in time that grows with its length only', () => {
    const nasty = ['{"message":"', '\\', ': ', 'what(): '].map((part) =>
      jsonLine('warn', `got exception: ${part.repeat(4000)}`).slice(0, 16_384),
    )
    for (const line of nasty) expect(readLine(line).text.length).toBeLessThan(2100)
  })
})
