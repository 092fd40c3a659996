/** docs/commands.md, from what the command line itself is made of. Pure. */
import { code, GENERATED, table } from './markdown.mjs'

const INTRO = `Each command also tells this with \`oss20bd COMMAND --help\`. What it prints for people goes to the terminal as text; with
\`--json\` the result is JSON on stdout, and progress and hints stay on stderr, so that a script reads the result alone.`

/** @type {import('./commands-page.d.mts').commandsPage} */
export function commandsPage({ commands, everywhere, exitStatuses }) {
  const sections = commands.flatMap((command) => ['', ...commandSection(command)])
  const names = commands.map(({ name, summary }) => {
    const word = firstWord(name)
    return [`[${code(word)}](#${word})`, summary]
  })
  return [
    '# Commands',
    '',
    GENERATED,
    '',
    INTRO,
    '',
    ...table(['command', 'what it does'], names),
    '',
    '## For every command',
    '',
    ...table(['option', 'meaning', 'default'], optionRows(everywhere)),
    '',
    '## Exit status',
    '',
    ...table(
      ['status', 'meaning'],
      Object.entries(exitStatuses).map(([status, meaning]) => [code(status), meaning]),
    ),
    '',
    '1 is also how `doctor` says that it found something, `plan` that nothing fits, and `cancel` that no such request is open.',
    'A command that you end with Ctrl-C dies of it, as a shell expects.',
    ...sections,
    '',
  ].join('\n')
}

function commandSection({ name, summary, options }) {
  const given = positionals(name)
  const rows = optionRows(
    Object.fromEntries(Object.entries(options).filter(([option]) => !given.includes(option))),
  )
  return [
    `## ${firstWord(name)}`,
    '',
    `${summary}.`,
    '',
    '```sh',
    `oss20bd ${name}${rows.length === 0 ? '' : ' [OPTIONS]'}`,
    '```',
    ...tableIfAny(
      ['argument', 'meaning'],
      given.map((argument) => [code(argument), options[argument]?.describe ?? '']),
    ),
    ...tableIfAny(['option', 'meaning', 'default'], rows),
  ]
}

function tableIfAny(titles, rows) {
  return rows.length === 0 ? [] : ['', ...table(titles, rows)]
}

/** `models [ACTION] [NAME]` to ACTION and NAME. */
function positionals(name) {
  return [...name.matchAll(/[[<]([A-Z_]+)(?:\.\.)?[\]>]/g)].map(([, argument]) => argument)
}

function firstWord(name) {
  return name.split(' ')[0]
}

function optionRows(options) {
  return Object.entries(options)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name, option]) => [
      spellings(name, option),
      option.describe ?? '',
      defaultOf(option.default),
    ])
}

function spellings(name, option) {
  const aliases = [option.alias ?? []].flat().map((alias) => `-${alias}`)
  // What is on by default can only be switched off.
  const long = option.type === 'boolean' && option.default === true ? `--no-${name}` : `--${name}`
  const value = valueOf(option)
  return [...aliases, long].map((spelling) => code(`${spelling}${value}`)).join(', ')
}

function valueOf({ type, choices }) {
  if (choices !== undefined) return ` ${choices.join('|')}`
  if (type === 'number') return ' N'
  return type === 'string' ? ' TEXT' : ''
}

function defaultOf(value) {
  return value === undefined || typeof value === 'boolean' ? '' : code(String(value))
}
