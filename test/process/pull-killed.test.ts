/** A pull that is killed without a chance to tidy up: the next one takes up what is good, and the file is right. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { readOrigin } from '../../src/model/origin.ts'
import { makeModel } from '../helpers/pull-rig.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { type HubCall, sha256Of, startHub } from '../stand-ins/hub.ts'

const puller = fileURLToPath(new URL('../fixtures/puller.mjs', import.meta.url))
const MIB = 2 ** 20
const content = makeModel(8 * MIB)

type Point = number | 'checking' | 'moved' | 'never'

async function pullScene(answer: (call: HubCall) => void = (call) => call.serve()) {
  const dir = await tempDir()
  const hub = await startHub(content, answer)
  const destination = dir.file('models', '日本語モデル🦙.gguf')
  const url = `${hub.origin}/model.gguf`
  const start = (point: Point) => {
    const args = [puller, url, destination, sha256Of(content), content.length, point].map(String)
    return execa(process.execPath, args, { reject: false })
  }
  return {
    hub,
    destination,
    folder: dir.file('models'),
    start,
    pull: async (point: Point) => {
      const { signal, stdout, stderr } = await start(point)
      return { signal: signal ?? null, stdout, stderr }
    },
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

/** The bytes that were asked for, without the looks. */
function askedBytes(ranges: readonly string[]): number {
  return ranges.reduce((sum, range) => {
    const [start, end] = range.split('-').map(Number)
    return sum + (end ?? 0) - (start ?? 0) + 1
  }, 0)
}

test('killed again and again on its way, it goes on each time, and the file is right', async () => {
  // What begins there or behind it is not answered: a killed run cannot have had the whole.
  let heldFrom = 0
  await using scene = await pullScene((call) => {
    if (call.isLook || (call.asked?.[0] ?? 0) < heldFrom) call.serve()
  })
  for (const point of [0, 2 * MIB, 5 * MIB]) {
    heldFrom = point + MIB
    expect(await scene.pull(point)).toMatchObject({ signal: 'SIGKILL' })
    expect(existsSync(scene.destination)).toBe(false)
  }
  heldFrom = content.length
  const before = scene.hub.ranges().length
  const { resumedBytes } = JSON.parse((await scene.pull('never')).stdout)
  expect(resumedBytes).toBeGreaterThanOrEqual(5 * MIB)
  // What the note calls good is not asked for again.
  expect(askedBytes(scene.hub.ranges().slice(before))).toBe(content.length - resumedBytes)
  expect((await readFile(scene.destination)).equals(content)).toBe(true)
  expect((await readdir(scene.folder)).toSorted()).toEqual([
    '日本語モデル🦙.gguf',
    '日本語モデル🦙.gguf.origin.json',
  ])
})

test('killed from outside in the middle of whatever it does, it leaves nothing that misleads', async () => {
  let kill: (() => void) | null = null
  await using scene = await pullScene((call) => {
    if (kill === null || call.asked === null || call.asked[0] < 3 * MIB) return call.serve()
    kill()
  })
  const killed = scene.start('never')
  kill = () => void killed.kill('SIGKILL')
  expect(await killed).toMatchObject({ signal: 'SIGKILL' })
  expect(existsSync(scene.destination)).toBe(false)
  kill = null
  expect(JSON.parse((await scene.pull('never')).stdout)).toMatchObject({ kind: 'downloaded' })
  expect((await readFile(scene.destination)).equals(content)).toBe(true)
})

test('killed when all is there and not yet checked, it puts nothing in place unchecked', async () => {
  await using scene = await pullScene()
  expect(await scene.pull('checking')).toMatchObject({ signal: 'SIGKILL' })
  expect(existsSync(scene.destination)).toBe(false)
  expect(JSON.parse((await scene.pull('never')).stdout)).toMatchObject({ kind: 'downloaded' })
  expect((await readFile(scene.destination)).equals(content)).toBe(true)
})

test('killed between the file and its note of origin, it checks what is there and downloads nothing', async () => {
  await using scene = await pullScene()
  expect(await scene.pull('moved')).toMatchObject({ signal: 'SIGKILL' })
  expect((await readFile(scene.destination)).equals(content)).toBe(true)
  expect(await readOrigin(scene.destination)).toBeNull()
  const before = scene.hub.ranges().length
  expect(JSON.parse((await scene.pull('never')).stdout)).toMatchObject({ kind: 'present' })
  expect(scene.hub.ranges()).toHaveLength(before)
  expect(await readOrigin(scene.destination)).toMatchObject({ sha256: sha256Of(content) })
})
