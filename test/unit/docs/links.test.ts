/** Every page of the repository: its links, anchors and images lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { anchorsOf, brokenLinks, linksOf } from './markdown-links.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const notOurs = new Set(['node_modules', '.git', 'dist', 'coverage'])

function pagesIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return notOurs.has(entry.name) ? [] : pagesIn(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

const pages = new Map(pagesIn('').map((file) => [file, readFileSync(join(root, file), 'utf8')]))

test('no link, anchor or image leads nowhere', () => {
  expect(pages.size).toBeGreaterThan(10)
  expect(brokenLinks(pages, (file) => existsSync(join(root, file)))).toEqual([])
})

test('the index names every page of docs/, and the READMEs name the index', () => {
  const index = linksOf(pages.get('docs/README.md') ?? '')
  const named = new Set(index.map(({ target }) => target))
  const there = [...pages.keys()]
    .filter((file) => file.startsWith('docs/') && file !== 'docs/README.md')
    .map((file) => file.slice('docs/'.length))
  // A folder of pages may be named as a whole.
  expect(there.filter((file) => !named.has(file) && !named.has(dirname(file)))).toEqual([])
  for (const readme of ['README.md', 'README.ja.md'])
    expect(linksOf(pages.get(readme) ?? '').map(({ target }) => target)).toContain('docs/README.md')
})

const noFile = (): boolean => false

test.each([
  ['[x](gone.md)', ['a/b.md: gone.md: there is no such file']],
  ['![picture](gone.png)', ['a/b.md: gone.png: there is no such file']],
  ['![](https://example.org/x.png)', [expect.stringContaining('no alternative text')]],
  ['[x](#gone)', ['a/b.md: #gone: there is no such heading']],
  ['[x](../c.md#gone)', ['a/b.md: ../c.md#gone: there is no such heading']],
  ['[x](../../c.md)', [expect.stringContaining('leaves the repository')]],
  ['[x](/c.md)', [expect.stringContaining('must be relative')]],
  ['<a href="gone.md">x</a>', ['a/b.md: gone.md: there is no such file']],
  ['[x][ref]\n\n[ref]: gone.md', ['a/b.md: gone.md: there is no such file']],
  ['[x](../c.md#was-%E6%97%A5%E6%9C%AC)\n\n# It\n\n[y](#it) [z](https://example.org)', []],
  ['`[x](gone.md)`\n\n```md\n[x](gone.md)\n```', []],
])('of %j it says what leads nowhere', (text, problems) => {
  const two = new Map([
    ['a/b.md', text],
    ['c.md', '## Was 日本'],
  ])
  expect(brokenLinks(two, noFile)).toEqual(problems)
})

test('anchors are those that GitHub makes', () => {
  const text = '# `a.b`, and *more*!\n\n## Same\n\n## Same\n\n## はじめる: 日本語\n\n## [x](y) _z_'
  expect([...anchorsOf(text)]).toEqual(['ab-and-more', 'same', 'same-1', 'はじめる-日本語', 'x-z'])
})
