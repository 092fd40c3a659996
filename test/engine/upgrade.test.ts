/** The real llama-server takes the place of another one while apps ask, and gives it back. */
import { copyFile, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TEST_MODEL_ANSWER } from '../../src/model/test-model.ts'
import { daemonScene } from '../helpers/daemon-scene.ts'
import type { TempDir } from '../helpers/temp-dir.ts'
import { testEngineFolder, testModelFile } from '../helpers/test-engine.ts'

async function prepare(home: TempDir): Promise<void> {
  await mkdir(home.file('models'))
  await copyFile(await testModelFile(), home.file('models', 'current'))
  await mkdir(home.file('engines', 'old', 'bin'), { recursive: true })
  const server = join('bin', 'llama-server')
  await copyFile(join(testEngineFolder(), server), home.file('engines', 'old', server))
  await symlink('old', home.file('engines', 'current'))
}

test('upgrade changes the engine under apps that go on asking, and rollback changes it back', async ({
  onTestFinished,
}) => {
  const scene = await daemonScene({
    onTestFinished,
    prepare,
    config: { 'model.contextTokens': 4096 },
  })
  const { engine: old } = await scene.untilReady()
  const over = new AbortController()
  const app = (async () => {
    const answers: { status: number; body: string }[] = []
    while (!over.signal.aborted) answers.push(await scene.chat())
    return answers
  })()
  // When the test ends early, so does the daemon under it.
  app.catch(() => undefined)
  const upgrade = await scene.oss20bd('upgrade', '--to', testEngineFolder())
  expect(upgrade).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^In use, and answering: /),
  })
  const { engine: fresh } = await scene.now()
  expect(fresh.trial).toMatchObject({ earlier: 'old', outcome: 'running' })
  expect(fresh.path).not.toBe(old.path)
  const back = await scene.oss20bd('rollback')
  expect(back).toMatchObject({ exitCode: 0, stdout: 'In use again, and answering: old' })
  over.abort()
  const answers = await app
  expect(answers.length).toBeGreaterThan(0)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(answers.every(({ body }) => body.includes(TEST_MODEL_ANSWER))).toBe(true)
  expect((await scene.now()).engine.path).toBe(old.path)
})
