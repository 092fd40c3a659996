import { expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts'
import { changedSections, createLiveConfig } from '../../../src/daemon/live-config.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'

function load(toml: string): Promise<LoadedConfig> {
  const readFile = (): Promise<string> => Promise.resolve(toml)
  return loadConfig({ file: '/c/config.toml', env: {}, flags: {}, readFile })
}

async function configOf(toml: string): Promise<Config> {
  const loaded = await load(toml)
  if (loaded.kind === 'invalid') throw new Error('the test wrote a config with mistakes')
  return loaded.config
}

/** A live config whose file is what the test last wrote. */
async function scene(): Promise<{
  write: (toml: string) => void
  live: ReturnType<typeof createLiveConfig>
  told: NewJournalEvent[]
}> {
  let toml = ''
  const told: NewJournalEvent[] = []
  const live = createLiveConfig(
    await configOf(''),
    () => load(toml),
    (event) => told.push(event),
  )
  return { write: (text) => void (toml = text), live, told }
}

test('what concerns the engine is taken up, and told once', async () => {
  const { write, live, told } = await scene()
  write('[model]\ncontextTokens = 8192\n[health]\nhangTimeout = "90s"\n')
  await live.refresh()
  await live.refresh()
  expect(live.current().model.contextTokens).toBe(8192)
  expect(told).toHaveLength(1)
  expect(told[0]?.message).toBe(
    'The config changed in [model], [health]: used from this run of the engine on',
  )
})

test('what the daemon has in use waits for the next one, and that is told once', async () => {
  const { write, live, told } = await scene()
  write('[proxy]\nport = 9000\n')
  await live.refresh()
  await live.refresh()
  expect(live.current().proxy.port).toBe(8020)
  expect(told.map(({ message }) => message)).toEqual(['The config changed in [proxy]'])
})

test('a file with mistakes changes nothing, is told once, and again after it was right', async () => {
  const { write, live, told } = await scene()
  write('[model]\ncontextTokens = "many"\n')
  await live.refresh()
  await live.refresh()
  expect(live.current().model.contextTokens).toBe('auto')
  expect(told).toHaveLength(1)
  expect(told[0]?.message).toMatch(
    /^The config cannot be used, so the last good one is kept: .*many/s,
  )
  write('[model]\ncontextTokens = 4096\n')
  await live.refresh()
  expect(live.current().model.contextTokens).toBe(4096)
})

test('a change of both kinds is told once for each, also after it is in use', async () => {
  const { write, live, told } = await scene()
  write('[proxy]\nport = 9000\n[model]\ncontextTokens = 8192\n')
  for (let run = 0; run < 4; run += 1) await live.refresh()
  expect(told.map(({ message }) => message)).toEqual([
    'The config changed in [proxy]',
    'The config changed in [model]: used from this run of the engine on',
  ])
  expect(told[1]?.hint).toBeUndefined()
})

test('sections are told apart by what they hold', async () => {
  const before = await configOf('')
  const after = await configOf('[engine]\nextraArgs = ["-v"]\n[log]\nkeep = 1\n')
  expect(changedSections(before, before)).toEqual({ live: [], waiting: [] })
  expect(changedSections(before, after)).toEqual({ live: ['engine'], waiting: ['log'] })
})
