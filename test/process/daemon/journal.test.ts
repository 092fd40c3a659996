import { rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { openJournal } from '../../../src/daemon/journal.ts'
import { lastEvents } from '../../../src/journal-files.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { fullDisk } from '../../helpers/full-disk.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

it('goes on through a full disk, in bounded memory, and tells afterwards what was lost', async () => {
  await using dir = await tempDir()
  await using disk = await fullDisk(dir, 'journal.log')
  const clock = new FakeClock()
  const told: string[] = []
  const journal = await openJournal({
    folder: disk.folder,
    clock,
    onTrouble: (reason) => told.push(`trouble ${reason}`),
    onLost: (events) => told.push(`lost ${events}`),
  })
  const evidence = Array.from({ length: 50 }, () => 'x'.repeat(250))
  let sent = 0
  while (journal.lostEvents() < 500) {
    journal.write({ kind: 'exit', message: 'it died', facts: { number: sent }, evidence })
    sent += 1
    await settle()
  }
  await disk.free()
  await clock.advance(5000)
  journal.write({ kind: 'state', message: 'after', facts: { number: sent } })
  await journal.close()

  expect(told).toEqual([
    expect.stringMatching(/^trouble (ENOSPC|EEXIST)$/),
    `lost ${journal.lostEvents()}`,
  ])
  const events = await lastEvents(disk.folder, sent)
  expect(events.length + journal.lostEvents()).toBe(sent + 1)
  // The oldest are kept, in order and without a gap.
  const kept = events.filter(({ kind }) => kind === 'exit')
  expect(kept.length).toBeGreaterThan(50)
  expect(kept.map(({ facts }) => facts['number'])).toEqual(kept.map((_, index) => index))
})

it('comes back by itself when its folder was taken away', async () => {
  await using dir = await tempDir()
  const folder = dir.file('logs')
  const clock = new FakeClock()
  const open = () =>
    openJournal({ folder, clock, onTrouble: () => undefined, onLost: () => undefined })
  const first = await open()
  first.write({ kind: 'daemon-started', message: 'one' })
  await first.close()
  await rm(folder, { recursive: true })
  const second = await open()
  expect(second.past.endedCleanly).toBeNull()
  second.write({ kind: 'daemon-started', message: 'two' })
  await second.close()
  expect((await lastEvents(folder, 9)).map(({ message }) => message)).toEqual(['two'])
})
