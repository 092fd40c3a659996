/** `oss20bd open`: the dashboard in the browser, with its buttons, by a link that works once. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { fileError } from '../../errors.ts'
import { defineCommand, print, say } from '../command.ts'
import { askDaemonFor } from '../control-client.ts'
import { field } from '../json.ts'

export const command = defineCommand({
  options: {
    print: { type: 'boolean', default: false, describe: 'Print the link, open nothing' },
  },
  async run(args, context) {
    const { url } = await askDaemonFor(isAnswer, context.paths.controlSocket, {
      method: 'POST',
      path: '/dashboard-link',
    })
    if (context.json) {
      print(context, JSON.stringify({ url }, undefined, 2))
      return 0
    }
    if (!args.print && (await openBrowser(await pageTo(url, context.paths.run)))) {
      say(context, 'Opened the dashboard in the browser; if none comes up: oss20bd open --print')
      return 0
    }
    print(context, url)
    say(context, 'Open this link in a browser on this machine: it works once, for five minutes')
    return 0
  },
})

/** Long enough for an opener that hands the link on and ends. */
const OPENER_TIMEOUT_MS = 10_000

/** A page of the user alone that leads there: every user of the machine can read a command line. */
async function pageTo(url: string, folder: string): Promise<string> {
  const file = join(folder, 'open.html')
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${url}"><title>oss20bd</title>\n`
  try {
    await writeFile(file, page, { mode: 0o600 })
  } catch (error) {
    throw fileError('write the page that leads to the dashboard', file, error)
  }
  return file
}

/** False when there is no browser to open. */
async function openBrowser(file: string): Promise<boolean> {
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open'
  // Without a screen xdg-open would start a browser within this terminal.
  const { DISPLAY, WAYLAND_DISPLAY } = process.env
  if (opener === 'xdg-open' && (DISPLAY ?? WAYLAND_DISPLAY ?? '') === '') return false
  const { failed } = await execa(opener, [file], {
    reject: false,
    stdio: 'ignore',
    timeout: OPENER_TIMEOUT_MS,
  })
  return !failed
}

function isAnswer(value: unknown): value is { readonly url: string } {
  return typeof field(value, 'url') === 'string'
}
