import { describe, expect, it } from 'vitest'
import { EngineLog } from '../../../src/daemon/engine-log.ts'
import type { LogEntry } from '../../../src/daemon/log-format.ts'
import type { Logger } from '../../../src/log.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

function engineLog(level: keyof Logger = 'info') {
  const clock = new FakeClock()
  const written: string[] = []
  const shown: LogEntry[] = []
  const log = new EngineLog({
    file: { write: (line) => written.push(line) },
    clock,
    level,
    show: (entry) => shown.push(entry),
  })
  const write = (count: number, lineLevel: keyof Logger = 'info'): void => {
    for (let index = 0; index < count; index += 1) log.write(lineLevel, 'chatter')
  }
  const last = (): unknown => JSON.parse(written.at(-1) ?? 'null')
  return { clock, last, log, shown, write, written }
}

const leftOut = (lines: number) => ({
  level: 'warn',
  source: 'daemon',
  message: 'llama-server wrote too much: lines were left out',
  lines,
})

describe('the log of the engine', () => {
  it('writes each line as JSON and shows it', () => {
    const { last, log, shown } = engineLog()
    log.write('warn', 'say "hi"\n')
    expect(last()).toEqual({
      at: '2026-01-01T00:00:00.000Z',
      level: 'warn',
      source: 'llama-server',
      message: 'say "hi"\n',
    })
    expect(shown).toMatchObject([{ level: 'warn', message: 'say "hi"\n' }])
  })

  it.each([
    ['error', 1],
    ['warn', 2],
    ['info', 3],
    ['debug', 4],
  ] as const)('at level %s it writes %i of the four levels', (level, count) => {
    const { log, written } = engineLog(level)
    for (const lineLevel of ['debug', 'info', 'warn', 'error'] as const) log.write(lineLevel, 'x')
    expect(written).toHaveLength(count)
  })

  it('writes every line of an engine that prints 10,000 a second', async () => {
    const { clock, write, written } = engineLog()
    for (let tick = 0; tick < 300; tick += 1) {
      write(100)
      await clock.advance(10)
    }
    expect(written).toHaveLength(30_000)
  })

  it('writes 20,000 lines of a flood and says within a second how many it left out', async () => {
    const { clock, last, write, written } = engineLog()
    write(50_000)
    expect(written).toHaveLength(20_000)
    await clock.advance(1000)
    expect(written).toHaveLength(20_001)
    expect(last()).toMatchObject(leftOut(30_000))
    write(10)
    expect(written).toHaveLength(20_011)
  })

  it('tells of a flood that goes on once a second', async () => {
    const { clock, written, write } = engineLog()
    for (let second = 0; second < 3; second += 1) {
      write(30_000)
      await clock.advance(1000)
    }
    const told = written.filter((line) => line.includes('left out'))
    expect(told).toHaveLength(3)
    expect(written).toHaveLength(3 * 20_001)
  })

  it('lets warnings and errors through a flood, up to 500', () => {
    const { write, written } = engineLog()
    write(30_000)
    write(400, 'warn')
    write(400, 'error')
    expect(written).toHaveLength(20_500)
  })

  it('says at its end what it left out, and takes no more', async () => {
    const { clock, last, log, write, written } = engineLog()
    write(20_001)
    log.close()
    write(1)
    log.close()
    await clock.advance(5000)
    expect(written).toHaveLength(20_001)
    expect(last()).toMatchObject(leftOut(1))
    expect(clock.sleeping).toBe(0)
  })
})
