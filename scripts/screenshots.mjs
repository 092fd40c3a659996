/**
 * Makes the pictures of the dashboard in docs/images: `node scripts/screenshots.mjs`. Starts a daemon of its own with the
 * real engine and the test model, lets some apps ask it for two minutes, and kills its engine once. Needs Chromium, and
 * what `npm run build` makes. OSS20BD_TEST_ENGINE is an engine that is compiled already.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { root } from './bootstrap.mjs'
import { withTestEngine } from './test-engine.mjs'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const folder = path.join(root, 'docs', 'images')
const QUESTION = 'Name three colours of the sky'
const APPS = ['Zed/0.210', 'OpenAI/Python 2.8', 'opencode/1.0']
const LASTS_MS = 120_000
const CRASH_AFTER_MS = 70_000
const PORT = 8020

const wide = { viewport: { width: 1200, height: 900 } }
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true }
const looks = [
  { name: 'dashboard-light', ...wide, colorScheme: 'light' },
  { name: 'dashboard-dark', ...wide, colorScheme: 'dark' },
  { name: 'dashboard-phone', ...phone, colorScheme: 'light' },
  { name: 'dashboard-phone-dark', ...phone, colorScheme: 'dark' },
]

const { OSS20BD_TEST_ENGINE: engine } = await withTestEngine({ step: 1, steps: 1 })
const home = fs.mkdtempSync(path.join(tmpdir(), 'oss20bd-'))
const env = { PATH: process.env.PATH, HOME: home, OSS20BD_HOME: home }
const url = `http://127.0.0.1:${PORT}`
let daemon
let browser
try {
  await prepareHome()
  daemon = await startDaemon()
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const pages = []
  for (const look of looks) pages.push({ ...look, page: await openPage(look) })
  await liveThroughSomething()
  for (const each of pages) await takePicture(each)
} finally {
  await browser?.close()
  if (daemon !== undefined) await stop(daemon)
  fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 })
}

async function prepareHome() {
  const { writeTestModel } = await import('../dist/model/test-model.js')
  fs.mkdirSync(path.join(home, 'models'))
  fs.mkdirSync(path.join(home, 'engines'))
  fs.symlinkSync(fs.realpathSync(engine), path.join(home, 'engines', 'current'))
  const file = path.join(engine, 'templates', 'openai-gpt-oss-120b.jinja')
  const model = path.join(home, 'models', 'test-model.gguf')
  await writeTestModel(model, { template: fs.readFileSync(file, 'utf8') })
  fs.symlinkSync('test-model.gguf', path.join(home, 'models', 'current'))
}

async function startDaemon() {
  const args = [path.join(root, 'bin', 'oss20bd'), 'daemon', '--background']
  const child = spawn(process.execPath, args, {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [report] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (report?.kind !== 'listening') throw new Error(`The daemon did not start: ${report?.message}`)
  return child
}

async function stop(child) {
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function link() {
  const child = spawn(process.execPath, [path.join(root, 'bin', 'oss20bd'), 'open', '--print'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [chunk] = await once(child.stdout, 'data')
  return String(chunk).trim()
}

async function openPage({ name: _name, ...look }) {
  const context = await browser.newContext(look)
  const page = await context.newPage()
  await page.goto(await link())
  await page.locator('#link', { hasText: 'Live' }).waitFor()
  await page.getByLabel('Show').selectOption('15')
  return page
}

async function liveThroughSomething() {
  const ending = new AbortController()
  const apps = APPS.map((app, index) => askOnAndOn(app, 1500 + 1700 * index, ending.signal))
  await sleep(CRASH_AFTER_MS)
  process.kill(enginePid(), 'SIGSEGV')
  await sleep(LASTS_MS - CRASH_AFTER_MS)
  ending.abort()
  await Promise.all(apps)
}

/** A child of the daemon, as Linux tells it. */
function enginePid() {
  const children = fs.readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8')
  const pids = children.trim().split(' ').map(Number)
  const isEngine = (pid) => fs.readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('llama-server')
  return pids.find(isEngine)
}

async function askOnAndOn(app, everyMs, signal) {
  const body = JSON.stringify({
    model: 'gpt-oss-20b',
    messages: [{ role: 'user', content: QUESTION.repeat(20) }],
  })
  const headers = { 'content-type': 'application/json', 'user-agent': app }
  while (!signal.aborted) {
    const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })
    await answer.text()
    await sleep(everyMs)
  }
}

async function takePicture({ name, page, isMobile }) {
  await page.getByLabel('Question').fill(QUESTION)
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.locator('#chat button[type=submit]:enabled').waitFor()
  await page.locator('#said').evaluate((said) => said.replaceChildren())
  await page.evaluate('scrollTo(0, 0)')
  // Of a phone that which it shows: all of it would be a ribbon.
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: isMobile !== true })
  if (process.env.WHOLE_PAGES) {
    await page.screenshot({
      path: path.join(process.env.WHOLE_PAGES, `${name}.png`),
      fullPage: true,
    })
  }
  console.log(path.join('docs', 'images', `${name}.png`))
}
