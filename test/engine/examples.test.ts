/** The files of docs/examples as they are, against the port with the test model. */
import { mkdir, symlink } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, expect, test, type TestContext } from 'vitest'
import { TEST_MODEL_ANSWER } from '../../src/model/test-vocabulary.ts'
import { binFile } from '../helpers/cli.ts'
import { daemonScene } from '../helpers/daemon-scene.ts'
import { findPython } from '../helpers/openai-python.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'
import { testEngineFolder, testModelFile } from '../helpers/test-engine.ts'

const examples = fileURLToPath(new URL('../../docs/examples/', import.meta.url))
const pythonHome = await tempDir()
afterAll(() => pythonHome[Symbol.asyncDispose]())
const python = await findPython(pythonHome)

const wholeAndStreamed = `${TEST_MODEL_ANSWER}\n${TEST_MODEL_ANSWER}`

/** What the example writes, run by the program `file` beside a daemon of its own. */
async function run(
  { onTestFinished }: TestContext,
  file: string,
  example: string,
): Promise<string> {
  const modelFile = await testModelFile()
  const { home } = await daemonScene({
    onTestFinished,
    config: {
      'engine.path': join(testEngineFolder(), 'bin', 'llama-server'),
      'model.contextTokens': 4096,
    },
    prepare: async (folder) => {
      await mkdir(folder.file('models'))
      await symlink(modelFile, folder.file('models', 'current'))
      await mkdir(folder.file('bin'))
      await symlink(binFile, folder.file('bin', 'oss20bd'))
    },
  })
  const env = await environment(home)
  const { stdout } = await execa(file, [join(examples, example)], { env, extendEnv: false })
  return stdout
}

/** What a reader has after the first line of the page, and nothing else. */
async function environment(home: TempDir): Promise<Record<string, string>> {
  const path = [home.file('bin'), process.env['PATH']].join(delimiter)
  const own = { PATH: path, HOME: home.path, OSS20BD_HOME: home.path }
  const tell = 'printf "%s\\n%s" "$OPENAI_BASE_URL" "$OPENAI_API_KEY"'
  const script = `eval "$(oss20bd connect env)" && ${tell}`
  const { stdout } = await execa('/bin/sh', ['-c', script], { env: own, extendEnv: false })
  const [OPENAI_BASE_URL = '', OPENAI_API_KEY = ''] = stdout.split('\n')
  return { ...own, OPENAI_BASE_URL, OPENAI_API_KEY }
}

test('curl.sh gets the whole answer', async (context) => {
  expect(JSON.parse(await run(context, '/bin/sh', 'curl.sh'))).toMatchObject({
    choices: [{ message: { content: TEST_MODEL_ANSWER } }],
  })
})

test('curl-stream.sh gets it in pieces', async (context) => {
  const text = await run(context, '/bin/sh', 'curl-stream.sh')
  const events = text.split('\n').filter((line) => line !== '')
  expect(events.at(-1)).toBe('data: [DONE]')
  expect(events.length).toBeGreaterThan(20)
})

test('pipe.sh gets the answer alone', async (context) => {
  expect(await run(context, '/bin/sh', 'pipe.sh')).toBe(TEST_MODEL_ANSWER.toUpperCase())
})

test('openai.mjs gets it whole and streamed', async (context) => {
  expect(await run(context, process.execPath, 'openai.mjs')).toBe(wholeAndStreamed)
})

test('fetch.mjs gets the whole answer', async (context) => {
  expect(await run(context, process.execPath, 'fetch.mjs')).toBe(TEST_MODEL_ANSWER)
})

const leftOut = 'missing' in python ? ` (left out: ${python.missing})` : ''
test.skipIf('missing' in python)(
  `chat.py gets it whole and streamed${leftOut}`,
  async (context) => {
    const file = 'file' in python ? python.file : ''
    expect(await run(context, file, 'chat.py')).toBe(wholeAndStreamed)
  },
)
