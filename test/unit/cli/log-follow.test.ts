import { appendFile, rename, truncate, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { logFile, openLogEnd } from '../../../src/log-files.ts'
import { followFile } from '../../../src/cli/log-follow.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

interface Following {
  readonly file: string
  /** Resolves with the lines so far once there are `count`. */
  readonly lines: (count: number) => Promise<readonly string[]>
}

async function following(
  prepare: (dir: TempDir, file: string) => Promise<unknown>,
  use: (following: Following) => Promise<void>,
): Promise<void> {
  await using dir = await tempDir()
  const file = logFile(dir.path, 'engine')
  await prepare(dir, file)
  const seen: string[] = []
  let look = (): void => undefined
  const enough = new AbortController()
  const end = await openLogEnd(dir.path, 'engine')
  const ended = followFile(file, end, enough.signal, (line) => {
    seen.push(line)
    look()
  })
  const lines = (count: number): Promise<readonly string[]> =>
    new Promise((resolve) => {
      look = () => {
        if (seen.length >= count) resolve([...seen])
      }
      look()
    })
  await use({ file, lines })
  enough.abort()
  await ended
}

test('it tells only what is written after the end, line by line', async () => {
  await following(
    (_dir, file) => writeFile(file, 'old\nhalf'),
    async ({ file, lines }) => {
      await appendFile(file, ' a line\nnext\n')
      expect(await lines(2)).toEqual(['half a line', 'next'])
    },
  )
})

test('it waits for a file that is not there yet', async () => {
  await following(
    async () => undefined,
    async ({ file, lines }) => {
      await appendFile(file, 'first\n')
      expect(await lines(1)).toEqual(['first'])
    },
  )
})

test('it goes on across rotations without losing or repeating a line', async () => {
  await following(
    (_dir, file) => writeFile(file, 'old\n'),
    async ({ file, lines }) => {
      const expected: string[] = []
      for (let round = 0; round < 5; round += 1) {
        await appendFile(file, `last of ${round}\n`)
        await rename(file, file.replace('.log', '1.log'))
        await writeFile(file, `first of ${round}\n`)
        expected.push(`last of ${round}`, `first of ${round}`)
        expect(await lines(expected.length)).toEqual(expected)
      }
    },
  )
})

test('it begins again in a file that was emptied', async () => {
  await following(
    (_dir, file) => writeFile(file, 'old\n'),
    async ({ file, lines }) => {
      await appendFile(file, 'one\n')
      await lines(1)
      await truncate(file, 0)
      await appendFile(file, 'two\n')
      expect(await lines(2)).toEqual(['one', 'two'])
    },
  )
})

test('characters that are written in two pieces stay whole', async () => {
  await following(
    (_dir, file) => writeFile(file, ''),
    async ({ file, lines }) => {
      const bytes = Buffer.from('größer\n')
      await appendFile(file, bytes.subarray(0, 3))
      await appendFile(file, bytes.subarray(3))
      expect(await lines(1)).toEqual(['größer'])
    },
  )
})
