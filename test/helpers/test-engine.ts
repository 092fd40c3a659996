/** The compiled llama-server and the built-in test model, for tests of the real thing. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import got from 'got'
import { afterAll } from 'vitest'
import { type TestModelOptions, writeTestModel } from '../../src/model/test-model.ts'

type Flavour = Omit<TestModelOptions, 'template'>

export interface RunningEngine {
  readonly pid: number
  readonly socketPath: string
  /** Sends JSON to `path` of the engine and gives back status and parsed body, whatever the status. */
  post(path: string, body: object): Promise<{ status: number; body: unknown }>
  /** Everything the engine has written to stderr so far. */
  stderr(): string
  stop(): Promise<void>
}

/** The folder that `scripts/build-llama.sh` installed: `bin/` and `templates/`. */
export function testEngineFolder(): string {
  const folder = process.env['OSS20BD_TEST_ENGINE']
  if (folder === undefined || folder === '') {
    throw new Error(
      'OSS20BD_TEST_ENGINE is not set: run `npm test`, which builds the engine and sets it, or set it to an installed engine folder',
    )
  }
  return folder
}

/** Upstream's gpt-oss chat template as the built engine brought it. */
function testTemplate(): string {
  return readFileSync(join(testEngineFolder(), 'templates/openai-gpt-oss-120b.jinja'), 'utf8')
}

const written = new Map<string, Promise<string>>()

/** The path of a test model of that flavour, written once per test file and removed at its end. */
export function testModelFile(flavour: Flavour = {}): Promise<string> {
  const key = JSON.stringify(flavour)
  const known = written.get(key)
  if (known !== undefined) return known
  const folder = tempFolder('oss20bd-model-')
  const path = join(folder, 'test-model.gguf')
  const ready = writeTestModel(path, { ...flavour, template: testTemplate() }).then(() => path)
  written.set(key, ready)
  return ready
}

/** Starts llama-server on a unix socket and resolves once it says ready; it dies with this process. */
export async function startEngine(
  modelPath: string,
  extraArgs: readonly string[] = [],
): Promise<RunningEngine> {
  const folder = tempFolder('oss20bd-engine-')
  const socketPath = join(folder, 'engine.sock')
  const child = execa(
    join(testEngineFolder(), 'bin/llama-server'),
    ['-m', modelPath, '--host', socketPath, '-c', '4096', '-np', '1', ...fixedArgs, ...extraArgs],
    {
      env: { PATH: process.env['PATH'], LLAMA_SERVER_ROUTER_PORT: '1' },
      extendEnv: false,
      stdin: 'pipe',
      buffer: { stderr: true, stdout: false },
      reject: false,
      forceKillAfterDelay: 2000,
    },
  )
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const lines = createInterface({ input: child.stdout })
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.startsWith('cmd_child_to_router:state:') && line.includes('"ready"')) resolve()
    })
  })
  const died = child.then((result) => {
    throw new Error(`llama-server ended with ${result.exitCode ?? result.signal}:\n${stderr}`)
  })
  await Promise.race([ready, died])
  died.catch(() => undefined)
  return {
    pid: child.pid ?? 0,
    socketPath,
    stderr: () => stderr,
    post: async (path, body) => {
      const response = await got.post(`http://unix:${socketPath}:${path}`, {
        json: body,
        responseType: 'json',
        enableUnixSockets: true,
        throwHttpErrors: false,
        retry: { limit: 0 },
      })
      return { status: response.statusCode, body: response.body }
    },
    // SIGTERM would not do: as a child the engine waits for its stdin to end before it leaves.
    stop: async () => {
      child.stdin.end()
      await child
    },
  }
}

const fixedArgs =
  '-ngl all -fa on -b 2048 -ub 512 --cache-ram 1024 --jinja --metrics --slots --no-ui --offline --log-colors off -lv 4 -fit on'.split(
    ' ',
  )

const temporary: string[] = []
afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true })
})

function tempFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  temporary.push(folder)
  return folder
}
