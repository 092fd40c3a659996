/** The links of Markdown pages, and which of them lead nowhere. Pure. */
import { posix } from 'node:path'
import { marked, type Token } from 'marked'

interface Link {
  readonly target: string
  /** The alternative text of an image; null for a link. */
  readonly alt: string | null
}

/** What is wrong with the links of `pages`, a line each; `exists` is asked for files that are no pages. */
export function brokenLinks(
  pages: ReadonlyMap<string, string>,
  exists: (file: string) => boolean,
): readonly string[] {
  const anchors = new Map([...pages].map(([file, text]) => [file, anchorsOf(text)]))
  return [...pages].flatMap(([file, text]) =>
    linksOf(text).flatMap((link) => {
      const problem = problemOf(file, link, anchors, exists)
      return problem === null ? [] : [`${file}: ${link.target}: ${problem}`]
    }),
  )
}

function problemOf(
  file: string,
  { target, alt }: Link,
  anchors: ReadonlyMap<string, ReadonlySet<string>>,
  exists: (file: string) => boolean,
): string | null {
  if (alt === '') return 'the image has no alternative text'
  // What is elsewhere cannot be asked in a test that needs no network.
  if (/^[a-z][a-z+.-]*:/i.test(target)) return null
  if (target.startsWith('/')) return 'it must be relative'
  const [path = '', anchor] = target.split('#').map(decodeURIComponent)
  const aim = path === '' ? file : posix.normalize(posix.join(posix.dirname(file), path))
  if (aim.startsWith('..')) return 'it leaves the repository'
  const there = anchors.get(aim)
  if (there === undefined && !exists(aim)) return 'there is no such file'
  if (anchor === undefined) return null
  if (there === undefined) return 'only a page has anchors'
  return there.has(anchor) ? null : 'there is no such heading'
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  // It returns what the function does, which might be promises.
  void marked.walkTokens(marked.lexer(text), (token) => {
    tokens.push(token)
  })
  return tokens
}

/** Of Markdown and of the HTML within it; what is in code is none. */
export function linksOf(text: string): readonly Link[] {
  return tokensOf(text).flatMap((token) => {
    if (token.type === 'link') return [{ target: String(token['href']), alt: null }]
    if (token.type === 'image')
      return [{ target: String(token['href']), alt: String(token['text']) }]
    return token.type === 'html' ? linksOfHtml(token.raw) : []
  })
}

function linksOfHtml(html: string): readonly Link[] {
  return [...html.matchAll(/<(\w+)\b[^>]*?\s(?:href|src|srcset)="([^"]+)"[^>]*>/g)].map(
    ([tag = '', name, target = '']) => {
      const alt = name === 'img' ? (/\balt="([^"]*)"/.exec(tag)?.[1] ?? '') : null
      return { target, alt }
    },
  )
}

/** The anchors that GitHub makes of the headings: a name that comes again gets a number. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const token of tokensOf(text)) {
    if (token.type !== 'heading') continue
    const name = slugOf(plainText(token))
    let anchor = name
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${name}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** What is seen of a heading: the words of its links and its code, without the marks. */
function plainText(token: Token): string {
  const inner = 'tokens' in token ? token.tokens : undefined
  if (inner !== undefined && inner.length > 0) return inner.map(plainText).join('')
  return 'text' in token ? String(token.text) : ''
}
