/** No stream breaks: the short form of `npm run chaos -- --streams 100`, with the real daemon and engine. */
import { expect, test } from 'vitest'
import { runChaos } from '../helpers/run-chaos.ts'

test('engines that die and hang under streams of every API are not seen in them', async () => {
  const account = await runChaos('--streams', '14')
  expect(account).toMatch(/^streams: 14 deaths, \d+ requests, \d+ s$/mu)
  expect(account).toMatch(/^ {2}SIGKILL 12, SIGSTOP 2$/mu)
  expect(account).toMatch(/^chaos: all is well$/mu)
})
