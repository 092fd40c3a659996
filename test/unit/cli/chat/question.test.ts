import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import {
  MAX_QUESTION_BYTES,
  questionOf,
  readPart,
  readPipe,
} from '../../../../src/cli/chat/question.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'

test.each([
  [['What', 'now?'], [], 'What now?'],
  [[], [{ name: null, text: 'piped' }], 'piped'],
  [
    ['Sum up'],
    [
      { name: '日記.txt', text: 'a' },
      { name: null, text: 'b' },
    ],
    'Sum up\n\n--- 日記.txt ---\na\n\nb',
  ],
  [['Sum up'], [{ name: null, text: ' \n' }], 'Sum up'],
])('%j and %j make one message', (words, parts, question) => {
  expect(questionOf(words, parts)).toBe(question)
})

test('nothing to ask is said, with an example', () => {
  expect(() => questionOf([' '], [{ name: null, text: '' }])).toThrow('there is no question')
})

test('a file is named without its folder', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('ø.txt'), 'words')
  expect(await readPart(dir.file('ø.txt'))).toEqual({ name: 'ø.txt', text: 'words' })
})

test('a file that is not there, and one that is no text, are said', async () => {
  await using dir = await tempDir()
  await expect(readPart(dir.file('none'))).rejects.toThrow('Cannot read the file')
  await writeFile(dir.file('binary'), Buffer.from([1, 0, 2]))
  await expect(readPart(dir.file('binary'))).rejects.toThrow('it is not text')
})

async function* chunks(...given: readonly Buffer[]) {
  yield* given
}

test('letters that are cut between two chunks of a pipe are whole again', async () => {
  const bytes = Buffer.from('日🎉')
  const cut = chunks(bytes.subarray(0, 1), bytes.subarray(1, 5), bytes.subarray(5))
  expect((await readPipe(cut)).text).toBe('日🎉')
})

test('a pipe that never ends is given up at the limit', async () => {
  async function* endless() {
    for (;;) yield Buffer.alloc(65_536, 'y')
  }
  await expect(readPipe(endless())).rejects.toThrow('the model reads 4.0 MiB at most')
  expect(MAX_QUESTION_BYTES).toBe(4_194_304)
})
