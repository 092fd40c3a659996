import { expect, test } from 'vitest'
import { isGuest } from '../../../../src/daemon/dashboard/guests.ts'

const sessions = { isOpen: (cookie: string | undefined) => cookie === 'good' }
const own = { host: '127.0.0.1:8020', origin: 'http://127.0.0.1:8020' }
const withSession = { ...own, cookie: 'good' }

test.each([
  ['the page', 'GET', '/oss20bd/', {}, true],
  ['the page without its slash', 'HEAD', '/oss20bd', {}, true],
  ['its script', 'GET', '/oss20bd/assets/index-1.js', {}, true],
  ['whether there is a session', 'GET', '/oss20bd/session', {}, true],
  ['a link that opens one', 'POST', '/oss20bd/session', own, true],
  ['the feed', 'GET', '/oss20bd/feed', {}, false],
  ['the history', 'GET', '/oss20bd/history', { cookie: 'bad' }, false],
  ['the feed with a session', 'GET', '/oss20bd/feed', { cookie: 'good' }, true],
  [
    'the feed for a page of another port',
    'GET',
    '/oss20bd/feed',
    { cookie: 'good', 'sec-fetch-site': 'same-site' },
    false,
  ],
  ['a button', 'POST', '/oss20bd/act/restart', own, false],
  ['a button with a session', 'POST', '/oss20bd/act/restart', withSession, true],
  ['the chat', 'POST', '/v1/chat/completions', own, false],
  ['the chat with a session', 'POST', '/v1/chat/completions', withSession, true],
  [
    'the chat from a page of another port',
    'POST',
    '/v1/chat/completions',
    { ...withSession, origin: 'http://127.0.0.1:3000' },
    false,
  ],
  [
    'the chat from no page',
    'POST',
    '/v1/chat/completions',
    { host: own.host, cookie: 'good' },
    false,
  ],
  ['another question with a session', 'POST', '/v1/completions', withSession, false],
  ['the metrics with a session', 'GET', '/metrics', { cookie: 'good' }, false],
])('%s: %s %s with %j is let in: %s', (_what, method, path, headers, isLetIn) => {
  expect(isGuest(path, { method, headers }, sessions)).toBe(isLetIn)
})
