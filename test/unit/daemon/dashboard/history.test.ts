import { readFile, stat, writeFile } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  History,
  HISTORY_BYTES,
  SAMPLE_EVERY_MS,
} from '../../../../src/daemon/dashboard/history.ts'
import { type Sample, sampleFrom } from '../../../../src/daemon/dashboard/sample.ts'
import { RecordingLogger } from '../../../helpers/recording-logger.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'

const dayMs = 86_400_000
const startMs = Date.UTC(2026, 0, 1)

/** Every second value unknown. */
function sampleAt(atMs: number): Sample {
  return sampleFrom(atMs, (_name, index) => (index % 2 === 0 ? atMs / 1000 + index : null))
}

async function scene() {
  const dir = await tempDir()
  onTestFinished(() => dir[Symbol.asyncDispose]())
  const file = dir.file('history.bin')
  const log = new RecordingLogger()
  return { dir, file, log, open: () => new History({ file, log }) }
}

describe('the history', () => {
  test('gives back what it was given, null as null, in another process too', async () => {
    const { open } = await scene()
    const samples = [0, 1, 2].map((n) => sampleAt(startMs + n * SAMPLE_EVERY_MS))
    for (const sample of samples) await open().add(sample)
    expect(await open().read(startMs + 60_000, 3_600_000)).toEqual(samples)
  })

  test('never takes more than its size, and forgets what is older than a day', async () => {
    const { file, open } = await scene()
    const history = open()
    for (const atMs of [startMs, startMs + dayMs - SAMPLE_EVERY_MS, startMs + dayMs]) {
      await history.add(sampleAt(atMs))
    }
    expect((await stat(file)).size).toBeLessThanOrEqual(HISTORY_BYTES)
    const found = await history.read(startMs + dayMs, dayMs)
    expect(found.map(({ atMs }) => atMs)).toEqual([
      startMs + dayMs - SAMPLE_EVERY_MS,
      startMs + dayMs,
    ])
  })

  test('reads around a torn record, a cut file and what is not its own', async () => {
    const { file, open } = await scene()
    const samples = [0, 1, 2].map((n) => sampleAt(startMs + n * SAMPLE_EVERY_MS))
    for (const sample of samples) await open().add(sample)
    const bytes = await readFile(file)
    const recordBytes = HISTORY_BYTES / (dayMs / SAMPLE_EVERY_MS)
    const place = Math.floor(startMs / SAMPLE_EVERY_MS) % (dayMs / SAMPLE_EVERY_MS)
    bytes[(place + 1) * recordBytes + 20]! ^= 0xff
    await writeFile(file, bytes.subarray(0, (place + 2) * recordBytes + 50))
    expect(await open().read(startMs + 60_000, dayMs)).toEqual([samples[0]])
    await writeFile(file, 'not a history at all'.repeat(100))
    expect(await open().read(startMs + 60_000, dayMs)).toEqual([])
    await open().add(sampleAt(startMs))
    expect(await open().read(startMs + 60_000, dayMs)).toEqual([samples[0]])
  })

  test('that cannot be kept is one warning, never a failure', async () => {
    const { dir, log } = await scene()
    const history = new History({ file: dir.file('missing', 'history.bin'), log })
    await history.add(sampleAt(startMs))
    await history.add(sampleAt(startMs))
    expect(await history.read(startMs, dayMs)).toEqual([])
    expect(log.records.map(({ message }) => message)).toEqual(['cannot keep the history'])
  })
})
