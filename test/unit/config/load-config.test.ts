import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { configError, loadConfig, type LoadConfigOptions } from '../../../src/config/load-config.ts'
import { SETTING_KEYS, SETTINGS, variableOf } from '../../../src/config/schema.ts'
import { Oss20bdError } from '../../../src/errors.ts'

const FILE = '/home/me/config.toml'

function load(toml: string | null, more: Partial<LoadConfigOptions> = {}) {
  return loadConfig({
    file: FILE,
    env: {},
    flags: {},
    readFile: () =>
      toml === null ? Promise.reject(systemError('ENOENT', 'no such file')) : Promise.resolve(toml),
    ...more,
  })
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

async function ok(toml: string | null, more: Partial<LoadConfigOptions> = {}) {
  const loaded = await load(toml, more)
  if (loaded.kind === 'invalid') throw configError(loaded.problems)
  return loaded
}

async function problems(toml: string | null, more: Partial<LoadConfigOptions> = {}) {
  const loaded = await load(toml, more)
  if (loaded.kind === 'ok') return []
  return loaded.problems.map(({ where, found, allowed }) => `${where}: ${found}, ${allowed}`)
}

describe('the defaults', () => {
  it('apply where there is no file', async () => {
    const { config, origins, values } = await ok(null)
    expect(config).toEqual({
      model: {
        path: null,
        alias: 'gpt-oss-20b',
        contextTokens: 'auto',
        slots: 1,
        cacheType: 'f16',
        promptCacheBytes: 2 ** 30,
      },
      engine: {
        path: null,
        extraArgs: [],
        startTimeoutMs: 300_000,
        drainTimeoutMs: 30_000,
        exitGraceMs: 10_000,
        termGraceMs: 2000,
      },
      restart: {
        baseDelayMs: 1000,
        maxDelayMs: 60_000,
        windowMs: 600_000,
        safeModeAfter: 5,
        giveUpAfter: 3,
      },
      health: {
        hangTimeoutMs: 60_000,
        scrapeIntervalMs: 5000,
        canaryTimeoutMs: 60_000,
        canaryIntervalMs: 0,
        wakeGapMs: 60_000,
      },
      power: { keepAwake: true },
      notify: { desktop: false },
      idle: { unloadAfterMs: 'auto' },
      proxy: {
        host: '127.0.0.1',
        port: 8020,
        holdTimeoutMs: 120_000,
        allowedHosts: [],
        allowedOrigins: [],
        alsoListen: [],
        aliases: [],
        continueStreams: true,
        limits: {
          queued: 100,
          keepBytes: 16 * 2 ** 20,
          heldBytes: 256 * 2 ** 20,
          bodyBytes: 100_000_000,
          uploadTimeoutMs: 30_000,
          headersTimeoutMs: 60_000,
          connections: 12_000,
        },
      },
      memory: {
        budgetBytes: null,
        reserveBytes: 4 * 2 ** 30,
        tightAfterMs: 10_000,
        criticalAfterMs: 4000,
        calmAfterMs: 120_000,
        stepEveryMs: 30_000,
        swapOutBytesPerSecond: 16 * 2 ** 20,
        stalledPercent: 10,
        leakMarginBytes: 2 ** 30,
      },
      log: { level: 'info', maxBytes: 10 * 2 ** 20, keep: 5 },
    })
    expect(new Set(Object.values(origins))).toEqual(new Set(['default']))
    expect(values['engine.startTimeout']).toBe('5min')
  })

  test.each(SETTING_KEYS)('%s has a reason and a description', (key) => {
    expect(SETTINGS[key].reason).not.toBe('')
    expect(SETTINGS[key].description).not.toBe('')
  })
})

test.each([
  ['"auto"', 'auto'],
  ['"off"', 'off'],
  ['"90s"', 90_000],
])('idle.unloadAfter may be %s', async (written, expected) => {
  const { config } = await ok(`[idle]\nunloadAfter = ${written}`)
  expect(config.idle.unloadAfterMs).toBe(expected)
})

test.each(['"never"', '"25h"', '0', '"100ms"'])(
  'idle.unloadAfter may not be %s',
  async (written) => {
    expect(await problems(`[idle]\nunloadAfter = ${written}`)).toEqual([
      `${FILE}:2: idle.unloadAfter is ${written}, must be "auto", "off" or a duration with a unit (s, min, h) from 1s to 24h`,
    ])
  },
)

describe('precedence', () => {
  it('is file, then environment, then flag', async () => {
    const file = '[proxy]\nport = 1001\nholdTimeout = "1s"\n[log]\nkeep = 1'
    const { config, origins, values } = await ok(file, {
      env: { OSS20BD_PROXY_PORT: '1002', OSS20BD_PROXY_HOLD_TIMEOUT: '2s' },
      flags: { 'proxy.port': '1003' },
    })
    expect(config.proxy.port).toBe(1003)
    expect(config.proxy.holdTimeoutMs).toBe(2000)
    expect(config.log.keep).toBe(1)
    expect(origins).toMatchObject({
      'proxy.port': 'flag',
      'proxy.holdTimeout': 'environment',
      'log.keep': 'file',
      'log.level': 'default',
    })
    expect(values).toMatchObject({ 'proxy.port': 1003, 'proxy.holdTimeout': '2s' })
  })

  it('does not hide a mistake in the file behind a flag', async () => {
    expect(await problems('[proxy]\nport = "x"', { flags: { 'proxy.port': '8021' } })).toEqual([
      `${FILE}:2: proxy.port is "x", must be a whole number from 0 to 65535`,
    ])
  })

  it('takes an empty variable as not set', async () => {
    expect((await ok(null, { env: { OSS20BD_PROXY_PORT: '' } })).config.proxy.port).toBe(8020)
  })

  it('knows the variables that are no keys', async () => {
    const env = { OSS20BD_HOME: '/h', OSS20BD_CACHE: '/c', OSS20BD_CONFIG: '/f', PATH: '/bin' }
    expect(await problems(null, { env })).toEqual([])
  })

  test.each(SETTING_KEYS)('%s has a variable of its own', (key) => {
    expect(variableOf(key)).toMatch(/^OSS20BD_[A-Z]+(_[A-Z]+)+$/)
    expect(SETTING_KEYS.filter((other) => variableOf(other) === variableOf(key))).toEqual([key])
  })
})

describe('values', () => {
  test.each([
    ['[model]\npath = "m.gguf"', '/home/me/m.gguf'],
    ['[model]\npath = "~/m.gguf"', '/users/me/m.gguf'],
    ['[model]\npath = "/m.gguf"', '/m.gguf'],
  ])('resolves a path of the file beside it: %j', async (toml, path) => {
    expect((await ok(toml, { env: { HOME: '/users/me' } })).config.model.path).toBe(path)
  })

  it('resolves a path of a flag from the current folder', async () => {
    const { config, values } = await ok(null, { flags: { 'engine.path': 'llama-server' } })
    expect(config.engine.path).toBe(`${process.cwd()}/llama-server`)
    expect(values['engine.path']).toBe(`${process.cwd()}/llama-server`)
  })

  test.each([
    ['-v, --no-mmap', ['-v', '--no-mmap']],
    ['["--override-kv","a=int:1,b=int:2"]', ['--override-kv', 'a=int:1,b=int:2']],
  ])('reads a list from a variable: %j', async (text, list) => {
    const env = { OSS20BD_ENGINE_EXTRA_ARGS: text }
    expect((await ok(null, { env })).config.engine.extraArgs).toEqual(list)
  })

  it('reads dotted keys, inline tables and a byte order mark', async () => {
    const { config } = await ok('\uFEFFproxy.port = 1\nlog = { keep = 2 }\r\n')
    expect(config).toMatchObject({ proxy: { port: 1 }, log: { keep: 2 } })
  })
})

describe('problems', () => {
  it('are told all at once, each with its place', async () => {
    const toml = [
      'colour = "red"',
      'log = 3',
      '[proxy]',
      'prot = 8020',
      'port = 70000',
      'allowedOrigins = ["https://a.example/path"]',
      '[engine]',
      'startTimeout = "5 minutes"',
      '[model]',
      'contextTokens = 8192.5',
    ].join('\n')
    const found = await problems(toml, {
      env: { OSS20BD_PROXY_PROT: '1', OSS20BD_LOG_LEVEL: 'loud' },
      flags: { port: '1', 'model.slots': 'two' },
    })
    expect(found).toEqual([
      `${FILE}:1: unknown key colour, \`oss20bd config\` lists every key`,
      `${FILE}:2: log is 3, must be a section [log]`,
      `${FILE}:4: unknown key proxy.prot, did you mean proxy.port`,
      'OSS20BD_PROXY_PROT: unknown variable, did you mean OSS20BD_PROXY_PORT',
      '--set port: unknown key port, did you mean proxy.port',
      `${FILE}:5: proxy.port is 70000, must be a whole number from 0 to 65535`,
      `${FILE}:6: proxy.allowedOrigins is ["https://a.example/path"], must be a list of origins, as "https://chat.example.org"`,
      `${FILE}:8: engine.startTimeout is "5 minutes", must be a duration with a unit (ms, s, min, h) from 1s to 24h`,
      `${FILE}:10: model.contextTokens is 8192.5, must be "auto" or a whole number from 512 to 131072`,
      'OSS20BD_LOG_LEVEL: log.level is "loud", must be "debug", "info", "warn" or "error"',
      '--set model.slots: model.slots is "two", must be a whole number from 1 to 256',
    ])
  })

  it('name line and column of broken TOML', async () => {
    const found = await problems('[proxy]\nport = = 1\n')
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^\/home\/me\/config\.toml:2:\d+: .+, must be TOML$/)
  })

  test.each([
    ['EISDIR', 'it is a folder'],
    ['EACCES', 'no permission to read it'],
    ['ENOTDIR', 'it cannot be read (x)'],
  ])('tell that the file cannot be read: %s', async (code, text) => {
    const readFile = () => Promise.reject(systemError(code, 'x'))
    expect(await problems(null, { readFile })).toEqual([
      `${FILE}: ${text}, must be a TOML file that you may read`,
    ])
  })

  it('tell that a file is missing only when the person named it', async () => {
    expect(await problems(null, { fileRequired: true })).toEqual([
      `${FILE}: no such file, must be a TOML file that you may read`,
    ])
  })

  test.each([
    [
      '[restart]\nbaseDelay = "90s"',
      `${FILE}:2: restart.maxDelay is "60s", must be restart.baseDelay (90s) or more`,
    ],
    [
      '[memory]\nbudget = "2GiB"',
      `${FILE}:2: memory.budget is "2GiB", must be memory.reserve (4GiB) or more`,
    ],
    [
      '[proxy]\nalsoListen = [1234, 8020]',
      `${FILE}:2: proxy.alsoListen is [1234,8020], must be without proxy.port (8020)`,
    ],
    [
      '[proxy]\nalsoListen = [0]',
      `${FILE}:2: proxy.alsoListen is [0], must be a list of port numbers from 1 to 65535, as [1234, 8080, 11434]`,
    ],
  ])('tell that two values do not go together: %j', async (toml, text) => {
    expect(await problems(toml)).toEqual([text])
  })

  test.each([
    '[[proxy]]\nport = 1',
    '[proxy.port]\nx = 1',
    '[model]\npath = 1979-05-27',
    '[model]\nslots = 9007199254740993',
  ])('refuse what has the wrong shape: %j', async (toml) => {
    expect(await problems(toml)).toHaveLength(1)
  })

  it('never come as an exception', async () => {
    const line = fc.constantFrom(
      '[proxy]',
      'port = 1',
      'x = [1, {a = 2}]',
      '__proto__ = 1',
      '"" = ""',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(line, fc.string())),
        fc.dictionary(fc.string(), fc.string()),
        async (lines, flags) => {
          expect(['ok', 'invalid']).toContain((await load(lines.join('\n'), { flags })).kind)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('configError()', () => {
  it('says a single problem in one line', async () => {
    const loaded = await load('[log]\nkeep = -1')
    const error = configError(loaded.kind === 'invalid' ? loaded.problems : [])
    expect(error).toBeInstanceOf(Oss20bdError)
    expect(error.code).toBe('config-invalid')
    expect(error.message).toBe(
      `Cannot use the config: ${FILE}:2: log.keep is -1, must be a whole number from 0 to 100`,
    )
  })

  it('lists several, one line each', () => {
    const one = { where: 'a:1', found: 'x is 1', allowed: 'must be 2' }
    expect(configError([one, { ...one, where: 'a:2' }]).message).toBe(
      'Cannot use the config: 2 problems\n  a:1: x is 1, must be 2\n  a:2: x is 1, must be 2',
    )
  })
})
