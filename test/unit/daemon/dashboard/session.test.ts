import { describe, expect, test } from 'vitest'
import { Sessions } from '../../../../src/daemon/dashboard/session.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

const minuteMs = 60_000

/** What a browser sends back of a `Set-Cookie`. */
function cookieOf(setCookies: readonly string[] | null): string {
  return setCookies?.[0]?.split(';', 1)[0] ?? ''
}

function sessionsOf({ clock = new FakeClock(), identity = '/home/a' } = {}): Sessions {
  return new Sessions({ clock, identity, paths: ['/oss20bd/', '/v1/chat/completions'] })
}

describe('sessions', () => {
  test('a link opens one session, which only its cookie names', () => {
    const sessions = sessionsOf()
    const link = sessions.makeLink()
    expect(Buffer.from(link, 'base64url')).toHaveLength(32)
    const setCookie = sessions.redeem(link)
    const [name] = cookieOf(setCookie).split('=')
    expect(setCookie).toEqual([
      `${cookieOf(setCookie)}; HttpOnly; SameSite=Strict; Path=/oss20bd/; Max-Age=43200`,
      `${cookieOf(setCookie)}; HttpOnly; SameSite=Strict; Path=/v1/chat/completions; Max-Age=43200`,
    ])
    expect(sessions.isOpen(`other=1; ${cookieOf(setCookie)}`)).toBe(true)
    expect(sessions.redeem(link)).toBeNull()
    for (const cookie of [undefined, '', `${name}=`, `${name}=${link}`]) {
      expect(sessions.isOpen(cookie)).toBe(false)
    }
  })

  test('a link is too old after five minutes, a session after twelve hours', async () => {
    const clock = new FakeClock()
    const sessions = sessionsOf({ clock })
    const [early, late] = [sessions.makeLink(), sessions.makeLink()]
    await clock.advance(5 * minuteMs - 1)
    const cookie = cookieOf(sessions.redeem(early))
    await clock.advance(1)
    expect(sessions.redeem(late)).toBeNull()
    await clock.advance(12 * 60 * minuteMs - 2)
    expect(sessions.isOpen(cookie)).toBe(true)
    await clock.advance(1)
    expect(sessions.isOpen(cookie)).toBe(false)
  })

  test('of many links the newest are kept', () => {
    const sessions = sessionsOf()
    const links = Array.from({ length: 40 }, () => sessions.makeLink())
    expect(sessions.redeem(links.at(0) ?? '')).toBeNull()
    expect(sessions.redeem(links.at(-1) ?? '')).not.toBeNull()
  })

  test('two daemons on one machine do not take each other’s cookies away', () => {
    const [one, other] = [sessionsOf(), sessionsOf({ identity: '/home/b' })]
    const cookie = cookieOf(one.redeem(one.makeLink()))
    const otherCookie = cookieOf(other.redeem(other.makeLink()))
    expect(cookie.split('=')[0]).not.toBe(otherCookie.split('=')[0])
    expect(one.isOpen(`${otherCookie}; ${cookie}`)).toBe(true)
    expect(one.isOpen(otherCookie)).toBe(false)
  })
})
