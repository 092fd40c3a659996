import { describe, expect, it } from 'vitest'
import {
  formatForPeople,
  formatJson,
  JsonLineFormat,
  type LogEntry,
} from '../../../src/daemon/log-format.ts'

const entry: LogEntry = {
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  level: 'info',
  source: 'daemon',
  message: 'llama-server ready',
  fields: { pid: 12, model: 'gpt oss', none: undefined, empty: '', path: '/a/b' },
}

describe('formatJson()', () => {
  it('puts time, level, source and message first, then the facts', () => {
    expect(formatJson(entry)).toBe(
      '{"at":"2026-01-02T03:04:05.006Z","level":"info","source":"daemon","message":"llama-server ready","pid":12,"model":"gpt oss","empty":"","path":"/a/b"}',
    )
  })

  it('lets no fact pass for one of the four', () => {
    const line = formatJson({ ...entry, fields: { message: 'x', level: 'x', at: 1, source: 'x' } })
    expect(JSON.parse(line)).toEqual({
      at: '2026-01-02T03:04:05.006Z',
      level: 'info',
      source: 'daemon',
      message: 'llama-server ready',
    })
  })

  it('is one line whatever the text holds', () => {
    expect(formatJson({ ...entry, message: 'a\nb' })).not.toContain('\n')
  })
})

describe('JsonLineFormat', () => {
  it('is the same as formatJson() without facts, as time and level go on', () => {
    const format = new JsonLineFormat('llama-server')
    const steps = [
      [1, 'info', 'a "b"\n\u001B'],
      [1, 'info', 'again'],
      [1, 'warn', 'another level'],
      [2, 'warn', 'later'],
      [1, 'info', 'the clock went back'],
    ] as const
    for (const [atMs, level, message] of steps) {
      const same = formatJson({ atMs, level, source: 'llama-server', message, fields: {} })
      expect(format.line(atMs, level, message)).toBe(same)
    }
  })
})

describe('formatForPeople()', () => {
  it('is time, level, message and facts', () => {
    const time = new Date(entry.atMs).toTimeString().slice(0, 8)
    expect(formatForPeople(entry, false)).toBe(
      `${time} info  llama-server ready pid=12 model="gpt oss" empty="" path=/a/b`,
    )
  })

  it('says which lines are the engine’s', () => {
    const line = formatForPeople({ ...entry, source: 'llama-server', fields: {} }, false)
    expect(line).toContain('info  llama-server: llama-server ready')
  })

  it('keeps the engine from steering the terminal', () => {
    const line = formatForPeople(
      { ...entry, message: 'a\u001B[2Jb\nc', fields: { x: '\u0007' } },
      false,
    )
    // oxlint-disable-next-line no-control-regex -- those are what is looked for
    expect(line).not.toMatch(/[\u0000-\u001F]/)
  })

  it('has colour only when asked', () => {
    expect(formatForPeople(entry, true)).toContain('\u001B[')
    expect(formatForPeople(entry, false)).not.toContain('\u001B[')
  })
})
