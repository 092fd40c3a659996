import { expect, test } from 'vitest'
import { HeadroomWatch } from '../../../src/daemon/headroom-watch.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'
import type { HeadroomSettings } from '../../../src/memory/headroom.ts'
import type { MemoryReading } from '../../../src/memory/memory-reading.ts'
import {
  type EngineState,
  initialLifecycle,
  type Lifecycle,
} from '../../../src/supervisor/engine-state.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'

const gib = 2 ** 30
const settings: HeadroomSettings = {
  reserveBytes: 4 * gib,
  tightAfterMs: 10_000,
  criticalAfterMs: 4000,
  calmAfterMs: 60_000,
  stepEveryMs: 30_000,
  swapOutBytesPerSecond: 16 * 2 ** 20,
  stalledPercent: 10,
  leakMarginBytes: gib,
  swapFilesGrow: false,
}
const ready: EngineState = {
  kind: 'ready',
  runId: 1,
  readyAtMs: 0,
  answeredWell: false,
  badAnswers: 0,
}
const unread: MemoryReading = {
  atMs: 0,
  totalBytes: 32 * gib,
  availableBytes: null,
  pressure: null,
  stalledPercent: null,
  swapUsedBytes: null,
  swapOutBytesPerSecond: null,
  swapInBytesPerSecond: null,
  freePercent: null,
  compressorBytes: null,
  compressedBytesPerSecond: null,
  decompressedBytesPerSecond: null,
  compressorSegmentsShare: null,
  freeDiskBytes: null,
  footprintBytes: null,
  gpuUsedBytes: null,
  gpuLimitBytes: null,
  gpuUtilisation: null,
  unknown: {},
}

/** An engine of 13 GiB that does at once what it is told, on a machine that reads as the test says. */
function scene() {
  let life: Lifecycle = { ...initialLifecycle, wanted: 'up', state: ready }
  let atMs = 0
  let isIdle = true
  let isLimited = false
  let fits = true
  const did: string[] = []
  const told: NewJournalEvent[] = []
  const become = (state: EngineState, halvings = life.headroomHalvings): void => {
    life = { ...life, state, headroomHalvings: halvings }
  }
  const watch = new HeadroomWatch({
    supervisor: {
      view: () => ({
        life,
        sinceMs: 0,
        enginePid: 1,
        engineFile: null,
        socketPath: null,
        counters: null,
        lastStop: null,
      }),
      recycle: () => did.push('recycle'),
      setContext: (halvings) => {
        did.push(`context ${halvings}`)
        become(life.state, halvings)
      },
      unload: (reason) => {
        did.push(`unload ${reason}`)
        become({ kind: 'asleep', reason })
      },
      room: () => {
        did.push('room')
        become(ready)
      },
    },
    settings: () => settings,
    maxContextHalvings: () => 2,
    isIdle: () => isIdle,
    setOneAtATime: (now) => {
      isLimited = now
    },
    plannedBytes: () => 13 * gib,
    fits: () => fits,
    journal: (event) => told.push(event),
    log: new RecordingLogger(),
  })
  return {
    watch,
    did,
    become,
    told,
    isLimited: () => isLimited,
    setIdle: (now: boolean) => void (isIdle = now),
    setFits: (now: boolean) => void (fits = now),
    /** Reads every 2 s for so long. */
    read: (seconds: number, values: Partial<MemoryReading>) => {
      for (let read = 0; read < seconds; read += 2) {
        atMs += 2000
        watch.take({ ...unread, footprintBytes: 13 * gib, ...values, atMs })
      }
    },
  }
}

const plenty = { availableBytes: 10 * gib }
const low = { availableBytes: 3 * gib }
const gone = { availableBytes: gib / 2 }

test('before the first reading nothing is known, and nothing unknown is acted on', () => {
  const { watch, read, did, told } = scene()
  expect(watch.view()).toEqual({ level: null, step: 'normal', reason: null, next: null })
  read(600, {})
  expect(watch.view()).toEqual({ level: 'ok', step: 'normal', reason: null, next: null })
  expect([did, told]).toEqual([[], []])
})

test('a tight machine brings one request at a time, then a smaller context once nobody asks', () => {
  const { watch, read, did, told, isLimited, setIdle } = scene()
  setIdle(false)
  read(20, low)
  expect(watch.view()).toMatchObject({ level: 'tight', step: 'one-at-a-time' })
  expect(watch.view().reason).toMatch(/^3\.0 GiB available, 4\.0 GiB reserved for/)
  expect(watch.view().next).toMatch(/when it is idle/)
  expect([isLimited(), did]).toEqual([true, []])
  read(60, low)
  expect(did).toEqual([])
  setIdle(true)
  read(4, low)
  expect(did).toEqual(['context 1'])
  expect(told.map(({ kind }) => kind)).toEqual(['memory', 'memory', 'memory'])
  expect(told.map(({ message }) => message.split(':')[0])).toEqual([
    'Memory is tight',
    'One request at a time from now on',
    'The context is halved',
  ])
  expect(told.at(-1)?.facts).toMatchObject({
    action: 'smaller-context',
    availableBytes: 3 * gib,
    plannedBytes: 13 * gib,
  })
})

test('it climbs back to where it was when there is enough again', () => {
  const { watch, read, did, isLimited } = scene()
  read(44, low)
  expect(did).toEqual(['context 1'])
  read(600, plenty)
  expect(did).toEqual(['context 1', 'context 2', 'context 1', 'context 0'])
  expect(isLimited()).toBe(false)
  expect(watch.view()).toEqual({ level: 'ok', step: 'normal', reason: null, next: null })
})

test('a critical machine unloads the engine, lets none begin, and loads it when there is room', () => {
  const { watch, read, did } = scene()
  read(10, gone)
  expect(did).toEqual(['unload memory'])
  expect(watch.view()).toMatchObject({ level: 'critical', step: 'unload' })
  expect(watch.obstacle).toMatch(/^512\.0 MiB available/)
  read(30, { ...plenty, footprintBytes: null })
  expect(did).toEqual(['unload memory'])
  read(300, { availableBytes: 20 * gib, footprintBytes: null })
  expect(did).toEqual(['unload memory', 'room'])
  expect(watch.obstacle).toBeNull()
})

test('what a person has unloaded since is not loaded, and nobody says so', () => {
  const { watch, read, did, become, told } = scene()
  read(10, gone)
  become({ kind: 'asleep', reason: 'asked' })
  read(600, { availableBytes: 20 * gib, footprintBytes: null })
  expect(did).toEqual(['unload memory'])
  expect(told.map(({ facts }) => facts?.['action'])).not.toContain('load')
  expect(watch.view()).toMatchObject({ level: 'ok', step: 'normal' })
  expect(watch.obstacle).toBeNull()
})

test('what was refused is tried again as soon as it fits, and not before', () => {
  const { read, did, become, setFits } = scene()
  become({
    kind: 'refused',
    refusal: { message: 'too big', hint: null, needBytes: 2, haveBytes: 1 },
  })
  setFits(false)
  read(60, plenty)
  expect(did).toEqual([])
  setFits(true)
  read(2, plenty)
  expect(did).toEqual(['room'])
})

test('an engine that sleeps because nobody asked is left asleep', () => {
  const { read, did, become } = scene()
  become({ kind: 'asleep', reason: 'idle' })
  read(600, plenty)
  expect(did).toEqual([])
})

test('a change of the level is announced', async () => {
  const { watch, read } = scene()
  const changed = watch.changed(new AbortController().signal)
  read(20, low)
  await expect(changed).resolves.toBeUndefined()
})
