import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { messageOf } from '../../../src/errors.ts'
import { writeTestModel } from '../../../src/model/test-model.ts'
import { binFile, freePort } from '../../helpers/cli.ts'
import { puppetFile, startPuppetControl } from '../../helpers/puppet.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Home {
  readonly dir: TempDir
  readonly port: number
  readonly oss20bd: (args: readonly string[], env?: Record<string, string>) => Promise<Ended>
  readonly engine: () => Promise<z.infer<typeof engineSchema>>
}

const engineSchema = z.object({
  state: z.string(),
  lastExit: z.object({ cause: z.string(), message: z.string(), hint: z.string().nullable() }),
})

/** What root may read and write whatever the modes say would hide what a user sees: that power is left out. */
function commandOf(file: string): [string, ...string[]] {
  if (process.getuid?.() !== 0) return [file]
  const less = '-dac_override,-dac_read_search'
  return ['setpriv', `--bounding-set=${less}`, `--inh-caps=${less}`, file]
}

/** A home in which everything is right: an engine (the puppet) and a whole model. */
async function goodHome(): Promise<Home> {
  const dir = await tempDir()
  const port = await freePort()
  await mkdir(dir.file('models'))
  await writeTestModel(dir.file('models', 'current'), { template: '<|channel|>' })
  const oss20bd: Home['oss20bd'] = async (args, env = {}) => {
    const [file, ...before] = commandOf(process.execPath)
    const { exitCode, stdout, stderr } = await execa(file, [...before, binFile, ...args], {
      reject: false,
      extendEnv: false,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: dir.path,
        OSS20BD_HOME: dir.path,
        OSS20BD_PROXY_PORT: String(port),
        OSS20BD_ENGINE_PATH: puppetFile,
        ...env,
      },
    })
    return { exitCode: exitCode ?? null, stdout, stderr }
  }
  onTestFinished(async () => {
    await oss20bd(['stop'])
    await dir[Symbol.asyncDispose]()
  })
  const engine: Home['engine'] = async () => {
    const { stdout } = await oss20bd(['status', '--json'])
    return z.object({ engine: engineSchema }).parse(JSON.parse(stdout)).engine
  }
  return { dir, port, oss20bd, engine }
}

/** One clear line: the program, what and why; then what to do, indented. */
const oneClearLine = /^oss20bd: Cannot (?!.*Cannot).+: .+\n( {2}.+\n?)+$/mu

describe('the config', () => {
  test('a wrong key and a wrong value are told together, with where and what is allowed', async () => {
    const { dir, oss20bd } = await goodHome()
    await writeFile(dir.file('config.toml'), '[proxy]\nprot = 1\n\n[model]\nslots = "many"\n')
    const { exitCode, stderr } = await oss20bd(['daemon'])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/config\.toml:2.*prot.*port/su)
    expect(stderr).toMatch(/config\.toml:5.*slots.*many/su)
  })

  test('a folder in its place', async () => {
    const { dir, oss20bd } = await goodHome()
    await mkdir(dir.file('config.toml'))
    const { exitCode, stderr } = await oss20bd(['start'])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/config\.toml.*folder/su)
  })

  test('that may not be read', async () => {
    const { dir, oss20bd } = await goodHome()
    await writeFile(dir.file('config.toml'), '', { mode: 0o000 })
    const { exitCode, stderr } = await oss20bd(['start'])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/config\.toml.*permission/isu)
    expect(stderr).not.toMatch(/EACCES|\n {4}at /u)
  })

  test('text that is not TOML', async () => {
    const { dir, oss20bd } = await goodHome()
    await writeFile(dir.file('config.toml'), '[proxy\nport = 1\n')
    const { exitCode, stderr } = await oss20bd(['status'])
    expect([exitCode, stderr.includes('not running')]).toEqual([3, true])
    expect((await oss20bd(['start'])).exitCode).toBe(2)
  })
})

describe('the model', () => {
  const bad: { name: string; cause: string; make: (file: string) => Promise<void> }[] = [
    { name: 'empty', cause: 'model-corrupt', make: (file) => truncate(file, 0) },
    { name: 'cut short', cause: 'model-corrupt', make: (file) => truncate(file, 100_000) },
    {
      name: 'not GGUF',
      cause: 'model-corrupt',
      make: (file) => writeFile(file, 'HELLO'.repeat(99)),
    },
    {
      name: 'old GGML',
      cause: 'model-legacy-format',
      make: (file) => writeFile(file, Buffer.concat([Buffer.from('tjgg'), Buffer.alloc(400)])),
    },
  ]

  test.each(bad)('$name: start says why, the port says it too', async ({ cause, make }) => {
    const { dir, port, oss20bd, engine } = await goodHome()
    await make(dir.file('models', 'current'))
    const { exitCode, stderr } = await oss20bd(['start'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    const { state, lastExit } = await engine()
    expect({ state, cause: lastExit.cause }).toEqual({ state: 'failed', cause })
    const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, { method: 'POST' })
    expect(response.status).toBe(503)
    expect(await response.text()).toContain(lastExit.message.slice(0, 20))
  })

  test('that may not be read: start says so, and how to allow it', async () => {
    const { dir, oss20bd } = await goodHome()
    await chmod(dir.file('models', 'current'), 0o000)
    const { exitCode, stderr } = await oss20bd(['start'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    expect(stderr).toMatch(/permission|chmod/iu)
  })

  test('missing: start says how to get one', async () => {
    const { oss20bd, engine } = await goodHome()
    const { exitCode, stderr } = await oss20bd(['start', '--set', 'model.path=/nope/model.gguf'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    expect((await engine()).lastExit).toMatchObject({ cause: 'model-missing' })
  })
})

describe('the engine binary', () => {
  test('missing', async () => {
    const { oss20bd, engine } = await goodHome()
    const { exitCode, stderr } = await oss20bd(['start'], {
      OSS20BD_ENGINE_PATH: '/nope/llama-server',
    })
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    expect((await engine()).lastExit.cause).toBe('engine-missing')
  })

  test('not executable', async () => {
    const { dir, oss20bd } = await goodHome()
    await writeFile(dir.file('llama-server'), '#!/bin/sh\n')
    await chmod(dir.file('llama-server'), 0o644)
    const path = { OSS20BD_ENGINE_PATH: dir.file('llama-server') }
    const { exitCode, stderr } = await oss20bd(['start'], path)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
  })
})

describe('the places', () => {
  test('a public port that is taken: start names who has it and leaves nothing behind', async () => {
    const { dir, port, oss20bd } = await goodHome()
    const other = createServer().listen(port, '127.0.0.1')
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    const { exitCode, stderr } = await oss20bd(['start'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    expect(stderr).toContain(String(port))
    expect(stderr).toContain(String(process.pid))
    expect(existsSync(dir.file('run', 'daemon.lock'))).toBe(false)
  })

  test('a state folder that cannot be written', async () => {
    const { dir, oss20bd } = await goodHome()
    await writeFile(dir.file('run'), 'a file where the folder should be')
    const { exitCode, stderr } = await oss20bd(['start'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    expect(await readFile(dir.file('run'), 'utf8')).toContain('a file')
  })

  test('a home that may not be written', async () => {
    const { dir, oss20bd } = await goodHome()
    await chmod(dir.path, 0o500)
    const { exitCode, stderr } = await oss20bd(['start'])
    await chmod(dir.path, 0o700)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(oneClearLine)
    expect(stderr).toMatch(/permission/iu)
  })

  test('a home too long for a socket', async () => {
    const { dir, oss20bd } = await goodHome()
    const { exitCode, stderr } = await oss20bd(['daemon'], {
      OSS20BD_HOME: dir.file('x'.repeat(110)),
    })
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/OSS20BD_HOME/u)
  })

  test('a stale lock, stale sockets and a stale record are cleaned up', async () => {
    const { dir, oss20bd } = await goodHome()
    await mkdir(dir.file('run'))
    await writeFile(dir.file('run', 'daemon.lock'), '{"pid":999999,"identity":"another boot"}')
    await writeFile(dir.file('run', 'engine.json'), '{"pid":999999,"identity":"another boot"}')
    await symlink('/nowhere', dir.file('run', 'control.sock'))
    await symlink('/nowhere', dir.file('run', 'engine.sock'))
    const { exitCode, stderr } = await oss20bd(['start'])
    expect({ exitCode, stderr: stderr.includes('Cannot') }).toEqual({ exitCode: 0, stderr: false })
  })

  test('an address that others could reach is refused without tokens', async () => {
    const { oss20bd } = await goodHome()
    const { exitCode, stderr } = await oss20bd(['start', '--set', 'proxy.host=0.0.0.0'])
    expect(exitCode).not.toBe(0)
    expect(stderr).toMatch(oneClearLine)
  })
})

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends the daemon cleanly', async (signal) => {
    const { dir, port } = await goodHome()
    const daemon = execa(process.execPath, [binFile, 'daemon'], {
      reject: false,
      env: {
        OSS20BD_HOME: dir.path,
        OSS20BD_PROXY_PORT: String(port),
        OSS20BD_ENGINE_PATH: puppetFile,
      },
    })
    for await (const line of daemon.iterable()) {
      if (line.includes('The engine is ready')) daemon.kill(signal)
    }
    const { exitCode } = await daemon
    expect(exitCode).toBe(0)
    expect(existsSync(dir.file('run', 'daemon.lock'))).toBe(false)
    expect(existsSync(dir.file('run', 'control.sock'))).toBe(false)
  })

  test('a second signal leaves now, without waiting for open requests', async () => {
    const { dir, port } = await goodHome()
    await using puppets = await startPuppetControl()
    await writeFile(
      dir.file('config.toml'),
      `[engine]\nextraArgs = ["--puppet-control", "${puppets.path}"]\n`,
    )
    const daemon = execa(process.execPath, [binFile, 'daemon'], {
      reject: false,
      env: {
        OSS20BD_HOME: dir.path,
        OSS20BD_PROXY_PORT: String(port),
        OSS20BD_ENGINE_PATH: puppetFile,
      },
    })
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.ready()
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const open = fetch(`http://127.0.0.1:${port}/v1/chat/completions`, { method: 'POST' })
    const outcome = open.then(() => 'answered', messageOf)
    await puppet.onRequest('/v1/chat/completions')
    daemon.kill('SIGTERM')
    for await (const line of daemon.iterable()) {
      if (line.includes('The engine is being ended')) daemon.kill('SIGTERM')
    }
    const { exitCode } = await daemon
    expect(exitCode).toBe(1)
    expect(await outcome).toBe('fetch failed')
    await puppet.closed
  })
})
