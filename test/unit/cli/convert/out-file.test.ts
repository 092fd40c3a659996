/** The file that is made: whole under its name, or not there. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { chooseOutFile, OUTPUT, writeWhole } from '../../../../src/cli/convert/out-file.ts'
import { buildTestModel } from '../../../../src/model/test-model.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'

const model = buildTestModel({ template: 'x' })

it('gets the ending of a GGUF', async () => {
  await using dir = await tempDir()
  const named = await chooseOutFile(dir.file('m'), false)
  expect(named).toEqual({ file: dir.file('m.gguf'), folder: dir.path })
  expect((await chooseOutFile(dir.file('m.GGUF'), false)).file).toBe(dir.file('m.GGUF'))
})

it('is refused where something is already, where no folder is, and in a file', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('m.gguf'), 'precious')
  await mkdir(dir.file('d.gguf'))
  await expect(chooseOutFile(dir.file('m'), false)).rejects.toMatchObject({
    code: 'usage',
    message: `Cannot write the model: ${dir.file('m.gguf')} is there already`,
    hint: expect.stringContaining('--force'),
  })
  expect(await chooseOutFile(dir.file('m'), true)).toMatchObject({ file: dir.file('m.gguf') })
  await expect(chooseOutFile(dir.file('d.gguf'), true)).rejects.toThrowError('is a folder')
  await expect(chooseOutFile(dir.file('no', 'm'), false)).rejects.toMatchObject({
    hint: `Make it: mkdir -p "${dir.file('no')}"`,
  })
  await expect(chooseOutFile(dir.file('m.gguf', 'x'), false)).rejects.toMatchObject({
    message: expect.stringContaining('Cannot write the model'),
  })
})

it('appears whole, and replaces another in one step', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('m.gguf'), 'old')
  const out = await chooseOutFile(dir.file('m'), true)
  await writeWhole(out, async (temporary) => {
    await writeFile(temporary('16bit'), 'between')
    await writeFile(temporary(OUTPUT), model)
    expect(await readFile(out.file, 'utf8')).toBe('old')
  })
  expect(await readdir(dir.path)).toEqual(['m.gguf'])
  expect((await readFile(out.file)).equals(model)).toBe(true)
})

it('leaves nothing when it fails, or when what was written is no model', async () => {
  await using dir = await tempDir()
  const out = await chooseOutFile(dir.file('m'), false)
  const failing = writeWhole(out, async (temporary) => {
    await writeFile(temporary(OUTPUT), 'half')
    throw new Error('it broke')
  })
  await expect(failing).rejects.toThrowError('it broke')
  const cut = writeWhole(out, (temporary) => writeFile(temporary(OUTPUT), model.subarray(0, 5000)))
  await expect(cut).rejects.toMatchObject({ code: 'model-unusable' })
  expect(await readdir(dir.path)).toEqual([])
})

it('removes what a killed run left, and nothing of a living one', async () => {
  await using dir = await tempDir()
  // No process has this number: it is above the largest that a system gives.
  const dead = `.m.gguf.writing-${2 ** 30}.gguf`
  const alive = `.m.gguf.writing-${process.ppid}.gguf`
  for (const name of [dead, alive, '.other']) await writeFile(dir.file(name), 'half')
  const out = await chooseOutFile(dir.file('m'), false)
  await writeWhole(out, (temporary) => writeFile(temporary(OUTPUT), model))
  expect((await readdir(dir.path)).toSorted()).toEqual([alive, '.other', 'm.gguf'].toSorted())
})
