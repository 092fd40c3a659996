import { describe, expect, test } from 'vitest'
import { Sessions } from '../../../../src/daemon/dashboard/session.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

const minuteMs = 60_000

/** What a browser sends back of a `Set-Cookie`. */
function cookieOf(setCookie: string | null): string {
  return setCookie?.split(';', 1)[0] ?? ''
}

describe('sessions', () => {
  test('a link opens one session, which only its cookie names', () => {
    const sessions = new Sessions(new FakeClock())
    const link = sessions.makeLink()
    expect(Buffer.from(link, 'base64url')).toHaveLength(32)
    const setCookie = sessions.redeem(link)
    expect(setCookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/oss20bd\/; Max-Age=43200$/)
    expect(sessions.isOpen(`other=1; ${cookieOf(setCookie)}`)).toBe(true)
    expect(sessions.redeem(link)).toBeNull()
    for (const cookie of [undefined, '', 'oss20bd_session=', `oss20bd_session=${link}`]) {
      expect(sessions.isOpen(cookie)).toBe(false)
    }
  })

  test('a link is too old after five minutes, a session after twelve hours', async () => {
    const clock = new FakeClock()
    const sessions = new Sessions(clock)
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
    const sessions = new Sessions(new FakeClock())
    const links = Array.from({ length: 40 }, () => sessions.makeLink())
    expect(sessions.redeem(links.at(0) ?? '')).toBeNull()
    expect(sessions.redeem(links.at(-1) ?? '')).not.toBeNull()
  })
})
