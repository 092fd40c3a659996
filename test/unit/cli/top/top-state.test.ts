import { describe, expect, test } from 'vitest'
import { keysOf } from '../../../../src/cli/top/keys.ts'
import {
  initialTop,
  press,
  type Pressed,
  takeNews,
  type TopState,
} from '../../../../src/cli/top/top-state.ts'
import { event, makeNow, openRequest } from './scene.ts'

const live = (...ids: string[]): TopState =>
  takeNews(
    initialTop,
    {
      kind: 'now',
      now: makeNow(
        {},
        ids.map((id) => openRequest({ id })),
      ),
    },
    1000,
  )

function type(state: TopState, keys: string): Pressed {
  return keysOf(keys).reduce<Pressed>((pressed, key) => press(pressed.state, key, 2000), {
    state,
    deed: null,
  })
}

test.each([
  ['q', ['q']],
  ['R', ['r']],
  ['\u001B[A\u001B[B\u001BOA', ['up', 'down', 'up']],
  ['\u0003\u001A\t\r', ['ctrl-c', 'ctrl-z', 'tab', 'enter']],
  ['\u001B', ['escape']],
  ['\u001B[1;5Cx\u001B[15~', ['unknown', 'x', 'unknown']],
  ['日🙂', ['日', '🙂']],
])('a terminal sends %j for these keys', (sent, keys) => {
  expect(keysOf(sent)).toEqual(keys)
})

describe('keys', () => {
  test.each(['q', '\u0003'])('%j ends it', (key) => {
    expect(type(live(), key).deed).toEqual({ kind: 'quit' })
  })

  test('Ctrl-C ends it also while it asks, Ctrl-Z suspends it', () => {
    expect(type(live(), 'r\u0003').deed).toEqual({ kind: 'quit' })
    expect(type(live(), '\u001A').deed).toEqual({ kind: 'suspend' })
  })

  test.each([
    ['ry', 'restart'],
    ['uy', 'unload'],
    ['UY', 'unload'],
  ] as const)('%s asks once, then does it', (keys, kind) => {
    const { state } = type(live(), keys.slice(0, 1))
    expect(state.asks).toBe(kind)
    expect(type(live(), keys)).toMatchObject({ state: { asks: null }, deed: { kind } })
  })

  test.each(['rn', 'r\u001B', 'r\r', 'rr', 'uq'])('%j does nothing', (keys) => {
    expect(type(live(), keys)).toMatchObject({
      state: { asks: null, said: { text: 'Nothing was done' } },
      deed: null,
    })
  })

  test('nothing is asked for without a daemon', () => {
    const lost = takeNews(live(), { kind: 'lost', why: 'gone' }, 1500)
    expect(type(lost, 'ry')).toMatchObject({
      state: { asks: null, said: { text: 'Cannot restart: there is no connection to the daemon' } },
      deed: null,
    })
    const asked = type(live(), 'r').state
    expect(takeNews(asked, { kind: 'lost', why: 'gone' }, 1500).asks).toBeNull()
  })
})

describe('cancel', () => {
  test('the only open request needs no choice', () => {
    expect(type(live('r1'), 'c').deed).toEqual({ kind: 'cancel', id: 'r1' })
  })

  test('of several one must be chosen first', () => {
    expect(type(live('r1', 'r2'), 'c')).toMatchObject({
      state: { said: { text: 'Choose the request first, with the arrow keys' } },
      deed: null,
    })
    expect(type(live('r1', 'r2', 'r3'), '\u001B[B\u001B[Bc').deed).toEqual({
      kind: 'cancel',
      id: 'r2',
    })
    expect(type(live('r1', 'r2'), '\u001B[Ac').deed).toEqual({ kind: 'cancel', id: 'r2' })
    expect(type(live('r1', 'r2'), 'jjjjkc').deed).toEqual({ kind: 'cancel', id: 'r1' })
  })

  test('none is open: that is said', () => {
    expect(type(live(), 'c').state.said?.text).toBe('Cannot cancel: no request is open')
  })

  test('the choice stays with its request, and ends with it', () => {
    const chosen = type(live('r1', 'r2'), 'j').state
    const later = {
      kind: 'now',
      now: makeNow({}, [openRequest({ id: 'r0' }), openRequest()]),
    } as const
    expect(takeNews(chosen, later, 3000).chosen).toBe('r1')
    expect(takeNews(chosen, { kind: 'now', now: makeNow() }, 3000).chosen).toBeNull()
  })
})

describe('news', () => {
  test('a lost connection is over with the next news', () => {
    const lost = takeNews(live(), { kind: 'lost', why: 'the daemon ended' }, 1500)
    expect(lost.lost).toBe('the daemon ended')
    expect(takeNews(lost, { kind: 'now', now: makeNow() }, 4000)).toMatchObject({
      lost: null,
      heardAtMs: 4000,
    })
  })

  test('the journal of a new connection replaces that of the one before', () => {
    const first = takeNews(live(), { kind: 'journal', events: [event('a')] }, 1)
    const second = takeNews(first, { kind: 'event', event: event('b') }, 2)
    expect(second.events.map(({ message }) => message)).toEqual(['a', 'b'])
    expect(takeNews(second, { kind: 'journal', events: [event('c')] }, 3).events).toHaveLength(1)
  })

  test('what is kept is bounded', () => {
    let state = live()
    for (let index = 0; index < 2500; index += 1) {
      state = takeNews(state, { kind: 'now', now: makeNow() }, index)
      state = takeNews(state, { kind: 'event', event: event(String(index)) }, index)
    }
    expect(state.samples).toHaveLength(1800)
    expect(state.events).toHaveLength(200)
    expect(state.events.at(-1)?.message).toBe('2499')
  })

  test('a history without one of our fields leaves it unknown', () => {
    const history = {
      names: ['atMs', 'footprintBytes'],
      rows: [
        [5, 7],
        [null, 8],
      ],
    }
    const { samples } = takeNews(live(), { kind: 'history', history }, 1)
    expect(samples).toMatchObject([{ atMs: 5, footprintBytes: 7, generatedPerSecond: null }])
  })
})
