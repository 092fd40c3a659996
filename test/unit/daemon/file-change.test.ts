import { chmod, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { fingerprintsOf, untilFilesChange } from '../../../src/daemon/file-change.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const never = new AbortController().signal

/** Moves the clock on, look by look, until the watch has an answer; files are read for real. */
async function untilTold<T>(clock: FakeClock, watch: Promise<T>): Promise<T> {
  for (;;) {
    const looked = clock.advance(1000).then(() => null)
    const told = await Promise.race([watch.then((value) => ({ value })), looked])
    if (told !== null) return told.value
  }
}

describe('untilFilesChange', () => {
  test.each([
    ['comes', (file: string) => writeFile(file, 'new'), false],
    ['goes', (file: string) => rm(file), true],
    ['grows', (file: string) => writeFile(file, 'longer than before'), true],
    ['may not be read any more', (file: string) => chmod(file, 0o000), true],
  ])('tells of a file that %s', async (_, change, isThere) => {
    await using dir = await tempDir()
    const file = dir.file('model.gguf')
    if (isThere) await writeFile(file, 'old')
    const clock = new FakeClock()
    const seen = await fingerprintsOf([file, dir.file('other')])
    const watch = untilFilesChange(seen, clock, never)
    await change(file)
    expect(await untilTold(clock, watch)).toEqual([file])
  })

  test('tells of a link that points elsewhere', async () => {
    await using dir = await tempDir()
    for (const name of ['a', 'b']) await writeFile(dir.file(name), name)
    await symlink(dir.file('a'), dir.file('current'))
    const clock = new FakeClock()
    const watch = untilFilesChange(await fingerprintsOf([dir.file('current')]), clock, never)
    await symlink(dir.file('b'), dir.file('next'))
    await rename(dir.file('next'), dir.file('current'))
    expect(await untilTold(clock, watch)).toEqual([dir.file('current')])
  })

  test('waits for a file that is still being written', async () => {
    await using dir = await tempDir()
    const file = dir.file('model.gguf')
    const clock = new FakeClock()
    let looks = 0
    const growing = {
      sleep: async (delayMs: number, signal?: AbortSignal): Promise<void> => {
        looks += 1
        if (looks <= 5) await writeFile(file, 'x'.repeat(looks))
        await clock.sleep(delayMs, signal)
      },
    }
    const watch = untilFilesChange(await fingerprintsOf([file]), growing, never)
    await untilTold(clock, watch)
    expect(looks).toBe(6)
  })

  test('ends when nobody waits any more', async () => {
    const aborted = new AbortController()
    const watch = untilFilesChange(new Map(), new FakeClock(), aborted.signal)
    aborted.abort()
    await expect(watch).rejects.toThrow('aborted')
  })
})
