/** Models whose names and folders are in Japanese, with emoji: through pull, models, inspect and verify. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { command as inspectCommand } from '../../src/cli/commands/inspect.ts'
import { command as modelsCommand } from '../../src/cli/commands/models.ts'
import { command as pullCommand } from '../../src/cli/commands/pull.ts'
import { command as verifyCommand } from '../../src/cli/commands/verify.ts'
import { writeTestModel } from '../../src/model/test-model.ts'
import { makeHome } from '../helpers/model-home.ts'
import { model } from '../helpers/pull-rig.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { type HubCall, sha256Of, startHub } from '../stand-ins/hub.ts'

const NAME = '日本語モデル🦙 Q4_K_M.gguf'
const PATH = `量子化/${NAME}`
const ASKED = `/me/gpt-GGUF/resolve/main/${PATH.split('/').map(encodeURIComponent).join('/')}`

/** Redirects to an address that is not percent-encoded, as some servers do. */
function answerAsHub(call: HubCall): void {
  const { path, response } = call
  if (path === '/cdn/%E8%AA%9E') return call.serve()
  if (path === ASKED) {
    const location = Buffer.from('/cdn/語').toString('latin1')
    return void response.writeHead(302, { location }).end()
  }
  if (!path.startsWith('/api/')) return void response.writeHead(404).end()
  const lfs = { oid: sha256Of(model), size: model.length }
  const names = [PATH, 'other-Q8_0.gguf']
  response.end(
    JSON.stringify(names.map((name) => ({ type: 'file', path: name, size: model.length, lfs }))),
  )
}

test('a model with a Japanese name and an emoji is pulled, listed, chosen, inspected, verified and removed', async () => {
  await using hub = await startHub(model, answerAsHub)
  await using dir = await tempDir()
  const home = dir.file('ホーム 🏠')
  await mkdir(home)
  const { run, told, shelf } = makeHome(
    { ...dir, path: home, file: (...parts) => dir.file('ホーム 🏠', ...parts) },
    { HF_ENDPOINT: hub.origin },
  )
  expect(await run(pullCommand, { MODEL: 'me/gpt-GGUF:モデル🦙' })).toBe(0)
  expect(told.join('')).toContain(`${NAME} is downloaded: 2.9 MiB`)
  expect((await readdir(shelf(''))).toSorted()).toEqual(
    [NAME, `${NAME}.origin.json`, 'current'].toSorted(),
  )
  const said = async (work: Promise<number>): Promise<string> => {
    told.length = 0
    expect(await work).toBe(0)
    return told.join('')
  }
  const listed = await said(run(modelsCommand))
  // Each of these letters takes two columns: what follows them stands below its title all the same.
  expect(listed).toMatch(/NAME {27}SIZE {2}WHAT/)
  expect(listed).toMatch(/\* {2}日本語モデル🦙 Q4_K_M\.gguf {2}2\.9 MiB {2}built-in test model/)
  await said(run(modelsCommand, { ACTION: 'use', NAME: '日本語モデル🦙 Q4_K_M' }))
  expect(await readlink(shelf('current'))).toBe(NAME)
  expect(await said(run(inspectCommand, { FILE: NAME }))).toContain(`File          ${shelf(NAME)}`)
  expect(await said(run(verifyCommand, { FILE: NAME }))).toContain('the published one')
  await said(run(modelsCommand, { ACTION: 'remove', NAME, force: true }))
  expect([NAME, `${NAME}.origin.json`, 'current'].map(shelf).filter(existsSync)).toEqual([])
})

test('a letter that can be spelled in two ways is one name', async () => {
  await using hub = await startHub(model, (call) => call.serve())
  await using dir = await tempDir()
  const { run, shelf } = makeHome(dir)
  const [composed, apart] = ['が', 'か\u3099']
  await run(pullCommand, { MODEL: `${hub.origin}/${encodeURIComponent(apart)}.gguf` })
  expect(await readdir(shelf(''))).toContain(`${composed}.gguf`)
  expect(await run(inspectCommand, { FILE: apart })).toBe(0)
  expect(await run(inspectCommand, { FILE: composed })).toBe(0)
})

test('what is wrong with a file in a Japanese folder is told with its name', async () => {
  await using dir = await tempDir()
  const { run } = makeHome(dir)
  const folder = dir.file('古い モデル 🗄️')
  await mkdir(folder)
  await writeFile(`${folder}/ラマ.ggmlv3.q4_0.bin`, 'tjgg\x03\0\0\0')
  await writeTestModel(`${folder}/良い.gguf`, { template: 'x' })
  const old = `${folder}/ラマ.ggmlv3.q4_0.bin`
  for (const command of [inspectCommand, verifyCommand]) {
    await expect(run(command, { FILE: old })).rejects.toMatchObject({
      code: 'model-unusable',
      message: expect.stringMatching(/古い モデル 🗄️\/ラマ\.ggmlv3\.q4_0\.bin: .*GGJT/),
      hint: expect.stringContaining('oss20bd pull'),
    })
    expect(await run(command, { FILE: `${folder}/良い.gguf` })).toBe(0)
  }
})
