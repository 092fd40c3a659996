import { mkdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { offerEngines, offerToOomKiller } from '../../../src/host/oom-order.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'
import { settle } from '../../helpers/fake-clock.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

test('the engine is offered to the OOM killer, on Linux alone', async () => {
  await using dir = await tempDir()
  await mkdir(dir.file('7'))
  const log = new RecordingLogger()
  await offerToOomKiller(7, { platform: 'darwin', log, procFolder: dir.path })
  await expect(readFile(dir.file('7', 'oom_score_adj'), 'utf8')).rejects.toThrow('ENOENT')
  await offerToOomKiller(7, { platform: 'linux', log, procFolder: dir.path })
  expect(await readFile(dir.file('7', 'oom_score_adj'), 'utf8')).toBe('500')
  await offerToOomKiller(8, { platform: 'linux', log, procFolder: dir.path })
  expect(log.messages('debug')).toEqual(['Cannot put the engine first for the OOM killer'])
})

test('each engine is offered once, as soon as it is seen', async () => {
  await using dir = await tempDir()
  const log = new RecordingLogger()
  const ending = new AbortController()
  const waiting: PromiseWithReject[] = []
  let enginePid: number | null = null
  const supervisor = {
    view: () => ({ enginePid }),
    changed: (): Promise<void> =>
      new Promise((resolve, reject) => waiting.push({ resolve, reject })),
  }
  const options = { platform: 'linux', log, procFolder: dir.path } as const
  const done = offerEngines(supervisor, options, ending.signal)
  for (const pid of [null, 7, 7, null, 8]) {
    enginePid = pid
    waiting.at(-1)?.resolve()
    await untilWaiting(waiting)
  }
  ending.abort()
  waiting.at(-1)?.reject(new Error('aborted'))
  await done
  // Neither is there, so that each try is told.
  expect(log.records.map(({ fields }) => fields['pid'])).toEqual([7, 8])
})

interface PromiseWithReject {
  resolve(): void
  reject(error: Error): void
}

/** It waits for the next change. */
async function untilWaiting(waiting: readonly PromiseWithReject[]): Promise<void> {
  const before = waiting.length
  while (waiting.length === before) await settle()
}
