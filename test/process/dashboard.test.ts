/** The dashboard of a real daemon, in a real browser. */
import { existsSync } from 'node:fs'
import type Axe from 'axe-core'
import { source as axeSource } from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { addToken, TOKENS } from '../../src/token-files.ts'
import type { DaemonScene } from '../helpers/daemon-scene.ts'
import { puppetScene } from '../helpers/puppet-scene.ts'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) =>
  existsSync(file),
)
const isMissing = executablePath === undefined
const leftOut = isMissing ? ' (left out: no chromium, of the Debian package chromium)' : ''

let browser: Browser | null = null
beforeAll(async () => {
  if (executablePath === undefined) return
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})
afterAll(() => browser?.close())

interface Opened {
  readonly page: Page
  /** What the page asked of anybody else, what its policy forbade, and what it failed at. */
  readonly complaints: readonly string[]
}

async function open(
  scene: Pick<DaemonScene, 'url'>,
  onTestFinished: TestContext['onTestFinished'],
  link = `${scene.url}/oss20bd/`,
  look: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser!.newContext(look)
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text())
  })
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(scene.url) && !url.startsWith('data:')) complaints.push(url)
  })
  await page.goto(link)
  return { page, complaints }
}

async function linkOf(scene: DaemonScene): Promise<string> {
  const { stdout } = await scene.oss20bd('open', '--print')
  return stdout.trim()
}

/** A page that does not show it by then never will. */
const patienceMs = 40_000

/** Waits for an element that has the text. */
async function until(page: Page, selector: string, text: string | RegExp): Promise<void> {
  const found = page.locator(selector).filter({ hasText: text }).first()
  await found.waitFor({ timeout: patienceMs }).catch(async (error: unknown) => {
    const shown = await page.locator('body').innerText()
    throw new Error(`The page never showed ${String(text)} at ${selector}, but: ${shown}`, {
      cause: error,
    })
  })
}

/** What the rules of WCAG 2.2 AA that a program can judge are broken by. */
async function violations(page: Page): Promise<unknown> {
  await page.evaluate(axeSource)
  return page.evaluate(async () => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the source evaluated above defines it
    const { axe } = globalThis as unknown as { readonly axe: typeof Axe }
    const found = await axe.run()
    return found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) }))
  })
}

const answerText = [
  'data: {"choices":[{"delta":{"reasoning_content":"Let me think."}}]}\n\n',
  'data: {"choices":[{"delta":{"content":"Hello <b>you</b>"}}]}\n\n',
  'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
]

describe.skipIf(isMissing)(`in Chromium${leftOut}`, () => {
  test('shows the state, the model, plots and the journal, and asks nobody else', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', {
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      chunks: answerText,
    })
    const { page, complaints } = await open(scene, onTestFinished)
    await until(page, '#state-word', 'ready')
    await until(page, '#facts', 'gpt-oss-20b')
    await until(page, '#journal li', 'The daemon started')
    expect(await page.locator('#plots canvas').count()).toBe(7)
    await until(page, '#restarts', 'was not restarted')
    await page.getByLabel('Question').fill('Hello?')
    await page.getByRole('button', { name: 'Ask' }).click()
    await until(page, '.turn', 'Hello <b>you</b>')
    expect(await page.locator('.turn b').count()).toBe(0)
    await until(page, '.turn details', 'Let me think.')
    await until(page, '#requests', 'answered')
    expect(complaints).toEqual([])
  })

  test('a crash of the engine and its return are seen live, with the reason', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    const { page } = await open(scene, onTestFinished)
    await until(page, '#state-word', 'ready')
    process.kill(puppet.pid, 'SIGKILL')
    await until(page, '#journal .kind', 'exit')
    await readyPuppet()
    await until(page, '#facts', 'Restarts1')
    await until(page, '#state-word', 'ready')
    await until(page, '#journal', 'Start it again')
    await until(page, '#restarts', 'The engine was restarted once')
    expect(await page.locator('#facts').textContent()).toContain('Restarts1')
  })

  test('comes back by itself after the daemon was killed and started again', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    await readyPuppet()
    const { page } = await open(scene, onTestFinished)
    await until(page, '#link', 'Live')
    await scene.end()
    await until(page, '#link', 'Connection lost')
    const port = Number(new URL(scene.url).port)
    const next = await puppetScene({ onTestFinished, config: { 'proxy.port': port } })
    await next.readyPuppet()
    await until(page, '#link', 'Live')
    await until(page, '#facts', /up \d+ (ms|s)/)
    await until(page, '#state-word', 'ready')
    expect(await page.locator('#link').textContent()).toBe('Live')
  })

  test('what the engine and apps say is text, whatever they say', async ({ onTestFinished }) => {
    const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { status: 200, chunks: ['{"choices":[]}'] })
    await scene.post('/v1/chat/completions', { model: hostile, messages: [] })
    await puppet.log('error', `error: ${hostile}`)
    process.kill(puppet.pid, 'SIGKILL')
    await readyPuppet()
    const { page, complaints } = await open(scene, onTestFinished)
    await until(page, '#requests', hostile)
    for (const summary of await page.locator('#journal summary').all()) await summary.click()
    await until(page, '#journal pre', hostile)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.title()).toContain('oss20bd')
    expect(complaints).toEqual([])
  })

  test('the buttons are locked without a link, and work with one that works once', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const first = await readyPuppet()
    const locked = await open(scene, onTestFinished)
    await until(locked.page, '#locked', 'oss20bd open')
    expect(await locked.page.getByRole('button', { name: 'Restart' }).isDisabled()).toBe(true)
    const link = await linkOf(scene)
    const { page } = await open(scene, onTestFinished, link)
    await until(page, '#said', 'Unlocked for 12 hours')
    expect(page.url()).not.toContain('open=')
    await page.getByRole('button', { name: 'Restart' }).click()
    await first.closed
    await readyPuppet()
    await until(page, '#journal li', 'Asked to restart the engine')
    const again = await open(scene, onTestFinished, link)
    await until(again.page, '#said', 'it works once')
  })

  test('where apps need a token the page says how to unlock it, and a link unlocks all of it', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    await addToken(scene.home.file(TOKENS), 'zed', Date.now())
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', {
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      chunks: answerText,
    })
    const locked = await open(scene, onTestFinished)
    await until(locked.page, '#gate', 'oss20bd open')
    expect(await locked.page.getByLabel('Question').isVisible()).toBe(false)
    expect(locked.complaints).toEqual([])
    const link = await linkOf(scene)
    const { page, complaints } = await open(scene, onTestFinished, link)
    await until(page, '#link', 'Live')
    await until(page, '#state-word', 'ready')
    await page.getByLabel('Question').fill('Hello?')
    await page.getByLabel('Question').press('Enter')
    await until(page, '.turn', 'Hello <b>you</b>')
    await until(page, '#requests', 'dashboard')
    expect(complaints).toEqual([])
    const again = await open(scene, onTestFinished, link)
    await until(again.page, '#gate-said', 'it works once')
  })

  test('the log of the engine is for a session, comes live, and is text', async ({
    onTestFinished,
  }) => {
    const hostile = '<img src=x onerror="document.title=1">'
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.log('info', 'before it was opened')
    await scene.untilLogged(/before it was opened/)
    const { page } = await open(scene, onTestFinished)
    await until(page, '#locked', 'Locked')
    await page.locator('#log summary').click()
    await until(page, '#log-words', 'run in a terminal: oss20bd open')
    await page.goto(await linkOf(scene))
    await until(page, '#said', 'Unlocked')
    await until(page, '#log[open] .line', 'before it was opened')
    await puppet.log('error', hostile)
    await until(page, '#log .line.error', hostile)
    expect(await page.locator('#log img').count()).toBe(0)
  })

  test('axe finds nothing in light and dark, wide and on a phone, and nothing sticks out', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { status: 200, chunks: [], after: 'hold' })
    const asked = scene.chat().catch(() => null)
    await puppet.onRequest('/v1/chat/completions')
    const { page } = await open(scene, onTestFinished, await linkOf(scene))
    await until(page, '#said', 'Unlocked')
    await until(page, '#journal li', 'The daemon started')
    await page.getByRole('button', { name: /^Cancel r/ }).waitFor()
    await page.locator('#log summary').click()
    await page.locator('#log .line').first().waitFor()
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1200, 390]) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 844 })
        expect({ colorScheme, width, found: await violations(page) }).toMatchObject({ found: [] })
        const [whole, seen] = await page.evaluate<readonly number[]>(
          '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
        )
        expect(whole).toBe(seen)
      }
    }
    await scene.end()
    await asked
  })

  test('an open request is seen and can be cancelled', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { status: 200, chunks: [], after: 'hold' })
    const { page } = await open(scene, onTestFinished, await linkOf(scene))
    const asked = scene.chat().catch(() => null)
    const request = await puppet.onRequest('/v1/chat/completions')
    await page.getByRole('button', { name: /^Cancel r/ }).click()
    expect(await request.closed).toBe('cut')
    await asked
    await until(page, '#requests', 'cancelled')
  })
})

test('actions are refused to other pages, and without a session', async ({ onTestFinished }) => {
  const { scene, readyPuppet } = await puppetScene({ onTestFinished })
  const puppet = await readyPuppet()
  const post = (headers: Record<string, string>): Promise<number> =>
    fetch(`${scene.url}/oss20bd/act/restart`, { method: 'POST', headers }).then(
      ({ status }) => status,
    )
  expect(await post({})).toBe(403)
  expect(await post({ origin: 'http://localhost:1' })).toBe(403)
  expect(await post({ origin: scene.url })).toBe(401)
  expect(await post({ origin: scene.url, cookie: 'oss20bd_session=guess' })).toBe(401)
  expect((await scene.now()).engine.pid).toBe(puppet.pid)
})

test('a session lets its own page in where a token is needed, and nobody else', async ({
  onTestFinished,
}) => {
  const { scene, readyPuppet } = await puppetScene({ onTestFinished })
  await readyPuppet()
  const token = await addToken(scene.home.file(TOKENS), 'zed', Date.now())
  const ask = (path: string, headers: Record<string, string>, body?: string): Promise<Response> =>
    fetch(`${scene.url}${path}`, {
      headers,
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
  const chat = '{"model":"gpt-oss-20b","messages":[]}'
  const own = { origin: scene.url }
  for (const path of ['feed', 'history', 'log']) {
    expect((await ask(`/oss20bd/${path}`, {})).status).toBe(401)
  }
  expect((await ask('/v1/chat/completions', own, chat)).status).toBe(401)
  expect((await ask('/oss20bd/', {})).status).toBe(200)
  expect(await (await ask('/oss20bd/session', {})).json()).toEqual({
    isOpen: false,
    isNeeded: true,
  })
  expect((await ask('/oss20bd/history', { authorization: `Bearer ${token}` })).status).toBe(200)

  const secret = new URL(await linkOf(scene)).hash.replace('#open=', '')
  expect((await ask('/oss20bd/session', {}, secret)).status).toBe(403)
  const opened = await ask('/oss20bd/session', own, secret)
  const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  expect((await ask('/oss20bd/history', { cookie })).status).toBe(200)
  expect((await ask('/v1/chat/completions', { ...own, cookie }, chat)).status).toBe(200)
  expect((await ask('/v1/chat/completions', { cookie }, chat)).status).toBe(401)
  const elsewhere = { cookie, origin: 'http://127.0.0.1:3000' }
  expect((await ask('/v1/chat/completions', elsewhere, chat)).status).toBe(401)
  expect((await ask('/v1/completions', { ...own, cookie }, chat)).status).toBe(401)
})

test('the page is served compressed under a strict policy', async ({ onTestFinished }) => {
  const { scene } = await puppetScene({ onTestFinished })
  const page = await fetch(`${scene.url}/oss20bd/`, { headers: { 'accept-encoding': 'br' } })
  expect(page.headers.get('content-encoding')).toBe('br')
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
  expect(policy).not.toContain('unsafe')
  const [, script = ''] = /src="([^"]+\.js)"/.exec(await page.text()) ?? []
  const served = await fetch(`${scene.url}${script}`)
  expect(served.headers.get('cache-control')).toContain('immutable')
  expect((await served.arrayBuffer()).byteLength).toBeLessThan(150_000)
  const etag = page.headers.get('etag') ?? ''
  const again = await fetch(`${scene.url}/oss20bd/`, { headers: { 'if-none-match': etag } })
  expect(again.status).toBe(304)
})

test('nothing of what was asked or answered is in the feed', async ({ onTestFinished }) => {
  const { scene, readyPuppet } = await puppetScene({ onTestFinished })
  const puppet = await readyPuppet()
  await puppet.answer('/v1/chat/completions', {
    status: 200,
    chunks: ['{"choices":[{"message":{"role":"assistant","content":"secret answer"}}]}'],
  })
  expect((await scene.chat('secret question')).body).toContain('secret answer')
  const feed = await fetch(`${scene.url}/oss20bd/feed`)
  const reader = feed.body!.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ''
  while (!/event: now\n.*\n\n/.test(heard)) heard += (await reader.read()).value ?? ''
  await reader.cancel()
  expect(heard).toContain('"outcome":"answered"')
  expect(heard).not.toContain('secret')
})
