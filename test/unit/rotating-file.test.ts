import { EventEmitter, once } from 'node:events'
import { watch } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RotatingFile } from '../../src/rotating-file.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { tempDir } from '../helpers/temp-dir.ts'

function rotating(
  folder: string,
  more: { maxBytes?: number; keep?: number; gatherMs?: number } = {},
) {
  const clock = new FakeClock()
  const told: string[] = []
  const events = new EventEmitter()
  const file = new RotatingFile({
    folder,
    name: 'daemon',
    maxBytes: 10_000,
    keep: 3,
    gatherMs: 0,
    clock,
    onTrouble: (reason) => {
      told.push(`trouble ${reason}`)
      events.emit('trouble')
    },
    onLost: (lines) => {
      told.push(`lost ${lines}`)
      events.emit('lost')
    },
    ...more,
  })
  return { clock, file, lost: once(events, 'lost'), told, troubled: once(events, 'trouble') }
}

/** Resolves once the file holds `text`, woken by the file system. */
async function grows(path: string, text: string): Promise<void> {
  const watcher = watch(path)
  try {
    for (;;) {
      const changed = once(watcher, 'change')
      if ((await readFile(path, 'utf8')) === text) return
      await changed
    }
  } finally {
    watcher.close()
  }
}

describe('a rotating file', () => {
  it('goes on at the end of what is there', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('daemon.log'), 'old\n')
    const { file } = rotating(dir.path)
    file.write('new')
    await file.close()
    expect(await readFile(file.path, 'utf8')).toBe('old\nnew\n')
  })

  it('begins a new line after one that a power loss cut', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('daemon.log'), 'old\nha')
    const { file } = rotating(dir.path)
    file.write('new')
    await file.close()
    expect(await readFile(file.path, 'utf8')).toBe('old\nha\nnew\n')
  })

  it('counts bytes, not characters, for the size of a file', async () => {
    await using dir = await tempDir()
    const { file } = rotating(dir.path, { maxBytes: 20, keep: 2 })
    for (const line of ['ééé', '日本語', 'abc']) file.write(line)
    await file.close()
    expect(await readFile(dir.file('daemon1.log'), 'utf8')).toBe('ééé\n日本語\n')
    expect(await readFile(dir.file('daemon.log'), 'utf8')).toBe('abc\n')
  })

  it('sets files aside at their size, loses no line and keeps only the newest', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('daemon9.log'), 'from a time when more were kept')
    await writeFile(dir.file('engine9.log'), 'of another')
    const { file } = rotating(dir.path, { maxBytes: 40, keep: 2 })
    for (let index = 0; index < 10; index += 1) file.write(`line number ${index}`)
    await file.close()
    expect((await readdir(dir.path)).toSorted()).toEqual([
      'daemon.log',
      'daemon1.log',
      'daemon2.log',
      'engine9.log',
    ])
    expect(await readFile(dir.file('daemon.log'), 'utf8')).toBe('line number 8\nline number 9\n')
    expect(await readFile(dir.file('daemon1.log'), 'utf8')).toBe('line number 6\nline number 7\n')
    expect(await readFile(dir.file('daemon2.log'), 'utf8')).toBe('line number 4\nline number 5\n')
  })

  it('keeps none when told so, and takes a line that is longer than a file', async () => {
    await using dir = await tempDir()
    const { file } = rotating(dir.path, { maxBytes: 10, keep: 0 })
    file.write('short')
    file.write('x'.repeat(50))
    await file.close()
    expect(await readdir(dir.path)).toEqual(['daemon.log'])
    expect(await readFile(file.path, 'utf8')).toBe(`${'x'.repeat(50)}\n`)
  })

  it('comes back after its folder was removed', async () => {
    await using dir = await tempDir()
    const { clock, file, told } = rotating(dir.file('logs', 'deep'))
    file.write('one')
    await file.close()
    await rm(dir.file('logs'), { recursive: true })
    await clock.advance(1000)
    file.write('two')
    await file.close()
    expect(await readFile(file.path, 'utf8')).toBe('two\n')
    expect(told).toEqual([])
  })

  it('notices that its file was removed while open', async () => {
    await using dir = await tempDir()
    const { clock, file, lost } = rotating(dir.path)
    // Only a line that cannot be queued makes the file tell that it is through with the others.
    file.write('x'.repeat(2_000_000))
    file.write('one')
    await lost
    await rm(file.path)
    await clock.advance(1000)
    file.write('two')
    await file.close()
    expect(await readFile(file.path, 'utf8')).toBe('two\n')
  })

  it('tells of trouble once, tries again 5 s later and then loses nothing of a short outage', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('logs'), 'a file in the way')
    const { clock, file, told, troubled } = rotating(dir.file('logs'))
    file.write('one')
    await troubled
    file.write('two')
    await clock.advance(4999)
    file.write('three')
    await rm(dir.file('logs'))
    await clock.advance(1)
    file.write('four')
    await file.close()
    expect(told).toEqual(['trouble EEXIST'])
    expect(await readFile(file.path, 'utf8')).toBe('one\ntwo\nthree\nfour\n')
    expect(file.lostLines).toBe(0)
  })

  it('holds 1 MiB of lines at most, counts the others and tells how many they were', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('logs'), 'a file in the way')
    const { clock, file, lost, told, troubled } = rotating(dir.file('logs'), { maxBytes: 1e8 })
    file.write('first')
    await troubled
    const line = 'x'.repeat(1023)
    for (let index = 0; index < 2000; index += 1) file.write(line)
    expect(file.lostLines).toBe(977)
    await rm(dir.file('logs'))
    await mkdir(dirname(file.path))
    await clock.advance(5000)
    file.write('last')
    await lost
    await file.close()
    expect(told).toEqual(['trouble EEXIST', 'lost 977'])
    const lines = (await readFile(file.path, 'utf8')).split('\n')
    expect(lines[0]).toBe('first')
    expect(lines).toHaveLength(1 + 1023 + 1 + 1)
  })

  it('writes the first line at once and gathers those that follow within its time', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('daemon.log'), '')
    const { clock, file } = rotating(dir.path, { gatherMs: 50, maxBytes: 1e7 })
    file.write('one')
    await grows(file.path, 'one\n')
    file.write('two')
    file.write('three')
    await clock.advance(49)
    expect(await readFile(file.path, 'utf8')).toBe('one\n')
    await clock.advance(1)
    await grows(file.path, 'one\ntwo\nthree\n')
    file.write('four')
    await file.flush()
    expect(await readFile(file.path, 'utf8')).toBe('one\ntwo\nthree\nfour\n')
  })

  it('gathers no more than fits into its memory', async () => {
    await using dir = await tempDir()
    const { file } = rotating(dir.path, { gatherMs: 1e9, maxBytes: 1e8 })
    file.write('one')
    await file.flush()
    const line = 'x'.repeat(1000)
    for (let index = 0; index < 300; index += 1) file.write(line)
    await grows(file.path, `one\n${`${line}\n`.repeat(300)}`)
    await file.close()
    expect(file.lostLines).toBe(0)
  })

  it('counts what it could not write to the very end', async () => {
    await using dir = await tempDir()
    await writeFile(dir.file('logs'), 'a file in the way')
    const { file } = rotating(dir.file('logs'))
    file.write('one')
    file.write('two')
    await file.close()
    expect(file.lostLines).toBe(2)
  })
})
