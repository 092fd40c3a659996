/** `npm run docs`: writes the pages that are made from the source, docs/commands.md and docs/config.md. */
import fs from 'node:fs'
import path from 'node:path'
import { prepare, root } from './bootstrap.mjs'
import { commandsPage } from './docs/commands-page.mjs'
import { configPage } from './docs/config-page.mjs'

await prepare({ steps: 2 })
const { COMMANDS } = await import('../dist/cli/commands.js')
const { COMPLETION, GLOBAL_OPTIONS } = await import('../dist/cli/parser.js')
const { EXIT_STATUSES } = await import('../dist/cli/exit-status.js')
const { liveSections } = await import('../dist/daemon/live-config.js')
const { SETTING_KEYS, SETTINGS, variableOf } = await import('../dist/config/schema.js')

write('commands.md', commandsPage(await commandLine()))
write('config.md', configPage({ settings: SETTING_KEYS.map(documented), liveSections }))

async function commandLine() {
  const load = async ({ name, summary, load: loadOne }) => {
    const { command } = await loadOne()
    return { name, summary, options: command.options }
  }
  const commands = [...(await Promise.all(COMMANDS.map(load))), { ...COMPLETION, options: {} }]
  return { commands, everywhere: GLOBAL_OPTIONS, exitStatuses: EXIT_STATUSES }
}

function documented(key) {
  return { key, about: SETTINGS[key], variable: variableOf(key) }
}

function write(name, text) {
  const file = path.join(root, 'docs', name)
  const isNew = !fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text
  if (isNew) fs.writeFileSync(file, text)
  console.log(`docs/${name}: ${isNew ? 'written' : 'up to date'}`)
}
