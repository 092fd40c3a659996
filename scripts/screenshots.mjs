/** Makes the pictures of the README from a running daemon: `node scripts/screenshots.mjs [URL]`. Needs Chromium. */
import path from 'node:path'
import { chromium } from 'playwright-core'
import { root } from './bootstrap.mjs'

const url = process.argv[2] ?? 'http://127.0.0.1:8080'
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const folder = path.join(root, 'docs', 'images')
const QUESTION = 'Name three colours of the sky'
const wide = { width: 1200, height: 900 }
const phone = { width: 390, height: 844 }

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  await picture('dashboard-light', { colorScheme: 'light', viewport: wide })
  await picture('dashboard-dark', { colorScheme: 'dark', viewport: wide })
  await picture('dashboard-phone', {
    colorScheme: 'light',
    viewport: phone,
    deviceScaleFactor: 2,
    isMobile: true,
  })
} finally {
  await browser.close()
}

async function picture(name, look) {
  const context = await browser.newContext(look)
  const page = await context.newPage()
  await page.goto(`${url}/oss20bd/`)
  await page.locator('#link', { hasText: 'Live' }).waitFor()
  await page.getByLabel('Show').selectOption('15')
  await page.getByLabel('Question').fill(QUESTION)
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.locator('#chat button[type=submit]:enabled').waitFor()
  await page.evaluate(() => scrollTo(0, 0))
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true })
  console.log(path.join('docs', 'images', `${name}.png`))
  await context.close()
}
