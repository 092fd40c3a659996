import { describe, expect, test } from 'vitest'
import { APPS } from '../../../../src/cli/connect/apps.ts'
import type { PortFacts } from '../../../../src/cli/connect/port-facts.ts'
import { quoted } from '../../../../src/cli/connect/quoted.ts'

const port: PortFacts = {
  url: 'http://127.0.0.1:8021',
  model: 'gpt-oss-20b',
  contextTokens: 16_384,
  needsToken: false,
  alsoAt: [],
}

function textFor(app: (typeof APPS)[number], facts: PortFacts): string {
  const connection = app.connect(facts)
  return connection.kind === 'file'
    ? [connection.edit(null), ...connection.afterwards].join('\n')
    : connection.lines.join('\n')
}

describe.each(APPS.map((app) => ({ id: app.id, app })))('$id', ({ app }) => {
  test('learns the port', () => {
    expect(textFor(app, port)).toContain('8021')
  })

  test('tells where a token belongs when the port wants one', () => {
    // Xcode takes none for a server on the same machine, and Codex has a variable for it.
    expect(textFor(app, { ...port, needsToken: true })).toMatch(
      app.id === 'xcode' ? /8021/ : /YOUR_TOKEN|OSS20BD_TOKEN/,
    )
  })

  test('writes the same a second time', () => {
    const connection = app.connect(port)
    const once = connection.kind === 'file' ? connection.edit(null) : ''
    const twice = connection.kind === 'file' ? connection.edit(once) : ''
    expect(twice).toBe(once)
  })
})

test.each([
  ['http://127.0.0.1:8020/v1', 'http://127.0.0.1:8020/v1'],
  ['a b', "'a b'"],
  ["it's; $(x)", String.raw`'it'\''s; $(x)'`],
  ['', "''"],
])('%s is for a shell %s', (text, word) => {
  expect(quoted(text)).toBe(word)
})
