import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { onScreen, type Screen, type TerminalStreams } from '../../../../src/cli/top/screen.ts'

const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l'

/** A terminal that remembers what was written to it, and whether keys come as they are typed. */
class Terminal {
  readonly input = new EventEmitter()
  readonly output = new EventEmitter()
  readonly size = { columns: 80, rows: 24 }
  written = ''
  isRaw = false
  readonly keys: string[] = []
  stale = 0

  readonly streams: TerminalStreams = {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the part of a terminal that is used
    stdin: Object.assign(this.input, {
      isTTY: true,
      setRawMode: (isRaw: boolean) => (this.isRaw = isRaw),
      resume: () => undefined,
      pause: () => undefined,
      setEncoding: () => undefined,
    }) as unknown as TerminalStreams['stdin'],
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the part of a terminal that is used
    stdout: Object.assign(this.output, {
      ...this.size,
      write: (text: string) => (this.written += text) !== '',
    }) as unknown as TerminalStreams['stdout'],
  }

  run(work: (screen: Screen) => Promise<void>): Promise<void> {
    const events = {
      onKey: (key: string) => this.keys.push(key),
      onStale: () => {
        this.stale += 1
      },
    }
    return onScreen(this.streams, events, work)
  }
}

describe('a screen', () => {
  test('takes the whole terminal, and gives it back', async () => {
    const terminal = new Terminal()
    await terminal.run((screen) => {
      expect(terminal.isRaw).toBe(true)
      expect(screen.size).toEqual({ columns: 80, rows: 24 })
      screen.show(['one', 'two'])
      screen.show(['one', 'TWO'])
      return Promise.resolve()
    })
    expect(terminal.written).toBe(
      [
        '\u001B[?1049h\u001B[?25l\u001B[?7l\u001B[2J',
        '\u001B[?2026h\u001B[1;1H\u001B[2Kone\u001B[2;1H\u001B[2Ktwo\u001B[?2026l',
        '\u001B[?2026h\u001B[2;1H\u001B[2KTWO\u001B[?2026l',
        LEAVE,
      ].join(''),
    )
    expect(terminal.isRaw).toBe(false)
    expect(terminal.input.listenerCount('data') + terminal.output.listenerCount('resize')).toBe(0)
  })

  test('gives it back when the work throws, and shows nothing after that', async () => {
    const terminal = new Terminal()
    let kept: Screen | null = null
    const work = terminal.run((screen) => {
      kept = screen
      throw new Error('a fault')
    })
    await expect(work).rejects.toThrow('a fault')
    expect(terminal.written.endsWith(LEAVE)).toBe(true)
    expect(terminal.isRaw).toBe(false)
    kept!.show(['late'])
    expect(terminal.written.endsWith(LEAVE)).toBe(true)
  })

  test('gives it back before an error that nobody catches is told', async () => {
    const terminal = new Terminal()
    await terminal.run(() => {
      const events: EventEmitter = process
      events.emit('uncaughtExceptionMonitor', new Error('a fault'), 'uncaughtException')
      expect(terminal.written.endsWith(LEAVE)).toBe(true)
      expect(terminal.isRaw).toBe(false)
      return Promise.resolve()
    })
    expect(terminal.written.split(LEAVE)).toHaveLength(2)
  })

  test('after a resize everything is drawn anew', async () => {
    const terminal = new Terminal()
    await terminal.run((screen) => {
      screen.show(['one'])
      terminal.output.emit('resize')
      expect(terminal.stale).toBe(1)
      screen.show(['one'])
      return Promise.resolve()
    })
    expect(terminal.written.match(/\[2Kone/g)).toHaveLength(2)
  })

  test('keys come by their names', async () => {
    const terminal = new Terminal()
    await terminal.run(() => {
      terminal.input.emit('data', 'q\u001B[A')
      return Promise.resolve()
    })
    terminal.input.emit('data', 'x')
    expect(terminal.keys).toEqual(['q', 'up'])
  })
})
