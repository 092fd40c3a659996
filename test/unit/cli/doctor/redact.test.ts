import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Private, redact, secretsOf } from '../../../../src/cli/doctor/redact.ts'

const hidden: Private = {
  home: '/Users/hanako',
  users: ['hanako', '花子'],
  host: 'Hanakos-Mac.local',
  clients: ['hanako-laptop', 'webui'],
  secrets: ['correct horse', 'pa"ss/word'],
}

test.each([
  ['/Users/hanako/x', '~/x'],
  ['hanako@Hanakos-Mac (hanakos-mac.local)', 'USER@HOST (HOST)'],
  ['hanakosan', 'hanakosan'],
  ['花子 asked', 'USER asked'],
  ['client=webui client=hanako-laptop', 'client=CLIENT client=CLIENT'],
  ['key correct horse battery', 'key TOKEN battery'],
  [JSON.stringify('a pa"ss/word b'), '"a TOKEN b"'],
  ['x=pa%22ss%2Fword', 'x=TOKEN'],
  ['/Users/taro/m.gguf /home/jiro/x', '/Users/USER/m.gguf /home/USER/x'],
  ['/Users/Shared/m.gguf', '/Users/Shared/m.gguf'],
  ['/Volumes/Hanako Backup/m.gguf', '/Volumes/DISK/m.gguf'],
  ['o20-AbCdEf012345_- hf_abcdefgh1234 sk-proj-12345678', 'TOKEN TOKEN TOKEN'],
  ['Authorization: Bearer abc.def', 'Authorization: Bearer TOKEN'],
  ['http://me:secret@proxy:3128/', 'http://USER@proxy:3128/'],
  ['https://a/b?token=abc&x=1', 'https://a/b?token=TOKEN&x=1'],
  ['"--api-key", "abcdef", "-c"', '"--api-key", "TOKEN", "-c"'],
  ['--hf-token=abcdef -x', '--hf-token=TOKEN -x'],
  ['mail hana@example.co.jp now', 'mail ADDRESS now'],
  ['192.168.1.20 127.0.0.1 version 0.5.0', 'ADDRESS 127.0.0.1 version 0.5.0'],
])('%j becomes %j', (text, found) => {
  expect(redact(text, hidden)).toBe(found)
})

test('what names nobody stays: root, its home, and a name of one letter', () => {
  const nobody = { ...hidden, home: '/root', users: ['root', 'a'], host: 'b' }
  expect(redact('/root a b root', nobody)).toBe('/root a b root')
})

test('the secrets of an environment are known by the names of the variables, and from addresses', () => {
  const env = {
    HF_TOKEN: 'hf-one',
    OPENAI_API_KEY: 'two',
    MY_PASSWORD: 'three',
    HTTPS_PROXY: 'http://user:four@proxy:1',
    PATH: '/bin',
    LANG: undefined,
  }
  expect(secretsOf(env)).toEqual(['hf-one', 'two', 'three', 'user', 'four'])
})

test('no secret is left, whatever it is made of and wherever in a JSON text it stands', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 6 }), fc.string(), (secret, around) => {
      const text = JSON.stringify({ [around]: `${around}${secret}${around}` })
      const kept = redact(text, { ...hidden, secrets: [secret] })
      expect(kept).not.toContain(JSON.stringify(secret).slice(1, -1))
    }),
  )
})
