/** The pages that `npm run docs` makes are as the source is now. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { commandsPage } from '../../../scripts/docs/commands-page.mjs'
import { configPage } from '../../../scripts/docs/config-page.mjs'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { EXIT_STATUSES } from '../../../src/cli/exit-status.ts'
import { COMPLETION, GLOBAL_OPTIONS } from '../../../src/cli/parser.ts'
import { SETTING_KEYS, SETTINGS, variableOf } from '../../../src/config/schema.ts'
import { liveSections } from '../../../src/daemon/live-config.ts'

function read(name: string): string {
  return readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')
}

/** Here and not in a test: all of them together take seconds to load where the machine is busy. */
const commands = await Promise.all(
  COMMANDS.map(async ({ name, summary, load }) => {
    const { command } = await load()
    return { name, summary, options: command.options }
  }),
)

test('docs/commands.md has every command, argument and option (else: npm run docs)', () => {
  const page = commandsPage({
    commands: [...commands, { ...COMPLETION, options: {} }],
    everywhere: GLOBAL_OPTIONS,
    exitStatuses: EXIT_STATUSES,
  })
  expect(read('commands.md')).toBe(page)
})

test('docs/config.md has every setting (else: npm run docs)', () => {
  const settings = SETTING_KEYS.map((key) => ({
    key,
    about: SETTINGS[key],
    variable: variableOf(key),
  }))
  expect(read('config.md')).toBe(configPage({ settings, liveSections }))
})

test('every option is described, and every argument of a usage is one', () => {
  const wrong = commands.flatMap(({ name, options }) => {
    const wordless = Object.keys(options).filter((option) => !options[option]?.describe)
    const given = [...name.matchAll(/\[([A-Z_]+)/g)].map(([, argument = '']) => argument)
    const unknown = given.filter((argument) => !Object.hasOwn(options, argument))
    return [...wordless, ...unknown].map((option) => `${name}: ${option}`)
  })
  expect(wrong).toEqual([])
})

test('a bar within a cell does not end it, and a choice is shown', () => {
  const options = { for: { choices: ['macos', 'linux'], describe: 'a | b' } }
  const page = commandsPage({
    commands: [{ name: 'install', summary: 'Install', options }],
    everywhere: {},
    exitStatuses: { 0: 'done' },
  })
  expect(page).toContain('| `--for macos\\|linux` | a \\| b |  |')
})
