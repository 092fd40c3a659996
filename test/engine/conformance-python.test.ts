/** The official Python client of OpenAI, where there is one or it can be installed for the time of the test. */
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { TEST_MODEL_ANSWER, testVocabulary } from '../../src/model/test-vocabulary.ts'
import { type ClientScene, clientScene, createLikener } from '../helpers/conformance.ts'
import { findPython } from '../helpers/openai-python.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const script = fileURLToPath(new URL('../fixtures/conformance.py', import.meta.url))
const home = await tempDir()

const python = await findPython(home)
const isMissing = 'missing' in python
const leftOut = isMissing ? ` (left out: ${python.missing})` : ''
if (isMissing) await home[Symbol.asyncDispose]()

const max_tokens = 1500
/** A space is the one beginning of a tool call that is none of anything else. */
const towardsToolCall = testVocabulary(null).idOf('Ġ')

function start(url: string, what: 'answers' | 'stream', number: number) {
  const file = 'file' in python ? python.file : ''
  return execa(file, [script, url, what, String(number)])
}

const seven = expect.stringMatching(/^\{\s*"a"\s*:\s*7\s*\}$/u)
const call = { function: { name: 'add', arguments: seven } }

const heardSchema = z.object({
  text: z.string(),
  finish: z.string().nullable(),
  error: z.object({ kind: z.string(), message: z.string() }).nullable(),
})

describe.skipIf(isMissing)(`the openai client of Python${leftOut}`, () => {
  const scenes: ClientScene[] = []
  afterAll(async () => {
    for (const scene of scenes) await scene[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  async function kept(...args: Parameters<typeof clientScene>): Promise<ClientScene> {
    const scene = await clientScene(...args)
    scenes.push(scene)
    return scene
  }

  test('gets through the port what it gets from the engine', async () => {
    const scene = await kept(null)
    const [direct, ours] = await Promise.all(
      [scene.engineUrl, scene.portUrl].map(async (url) => {
        const { stdout } = await start(url, 'answers', towardsToolCall)
        const answers = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout))
        return Object.entries(answers).map(([name, answer]) => [name, createLikener()(answer)])
      }),
    )
    expect(ours).toEqual(direct)
    expect(Object.fromEntries(ours ?? [])).toMatchObject({
      chat: { choices: [{ message: { content: TEST_MODEL_ANSWER } }] },
      'tool call': { choices: [{ message: { tool_calls: [call] } }] },
      structured: { choices: [{ message: { content: seven } }] },
      'completions streamed': { length: expect.any(Number) },
      responses: { status: 'completed' },
      refused: { kind: 'BadRequestError', status: 400 },
    })
  })

  /** What it makes of a stream of which the engine is killed in the middle. */
  async function hearBroken(scene: ClientScene): Promise<z.infer<typeof heardSchema>> {
    const kill = await scene.ready()
    const streaming = start(scene.portUrl, 'stream', max_tokens)
    const lines = createInterface({ input: streaming.stdout })
    lines.once('line', () => kill('SIGKILL'))
    const { stdout } = await streaming
    const [begun, heard = ''] = stdout.split('\n')
    expect(begun).toBe('"begun"')
    return heardSchema.parse(JSON.parse(heard))
  }

  test('catches an error when its stream breaks for good', async () => {
    const scene = await kept('counts-in-answer', { 'proxy.continueStreams': false })
    const { finish, error } = await hearBroken(scene)
    expect(finish).toBeNull()
    expect(error).toEqual({
      kind: 'APIError',
      message: expect.stringContaining('Cannot finish the answer'),
    })
  })

  test('notices nothing when its stream goes on', async () => {
    const scene = await kept('counts-in-answer')
    const { text, finish, error } = await hearBroken(scene)
    expect({ finish, error }).toEqual({ finish: 'length', error: null })
    expect('0123456789'.repeat(max_tokens).startsWith(text)).toBe(true)
    expect((await scene.daemon.now()).proxy.continued).toBe(1)
    const usage = max_tokens - text.length
    // The rest of the budget went into reasoning and the marks of the format.
    expect(usage).toBe(13)
  })
})
