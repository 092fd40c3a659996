/** docs/config.md, from the schema of the settings. Pure. */
import { code, GENERATED, table } from './markdown.mjs'

const INTRO = `The file is \`config.toml\`; \`oss20bd config\` names its place, shows every value in force and where each comes from, and
\`oss20bd config KEY\` tells what is here of one key. Every key may be left out. A key is taken from the first of these that has it:

1. \`--set KEY=VALUE\` on the command line, repeatable: for what this one command starts;
2. the environment variable;
3. the file;
4. the default.

\`\`\`toml
[model]
contextTokens = 65536

[proxy]
port = 8021
allowedOrigins = ["https://chat.example.org"]
\`\`\`

In a variable or in \`--set\` a list is written with commas, or as JSON where an item holds a comma. An empty variable counts as not
set. A mistake ends the command with status 2 and names every wrong key with its line; nothing is guessed and nothing is ignored.`

const LIVE = 'A change is taken up by `oss20bd restart`.'
const WAITING = 'A change is taken up when the daemon starts: `oss20bd stop`, then `oss20bd start`.'

/** @type {import('./config-page.d.mts').configPage} */
export function configPage({ settings, liveSections }) {
  const sections = new Set(settings.map(sectionOf))
  return [
    '# Settings',
    '',
    GENERATED,
    '',
    INTRO,
    ...[...sections].flatMap((section) =>
      sectionLines(
        section,
        settings.filter((setting) => sectionOf(setting) === section),
        liveSections.includes(section),
      ),
    ),
    '',
  ].join('\n')
}

function sectionOf({ key }) {
  return key.split('.')[0]
}

function sectionLines(section, members, isLive) {
  const rows = members.map(({ key, about }) => [
    `[${code(key)}](#${anchorOf(key)})`,
    writtenDefault(about.default),
    about.description,
  ])
  return [
    '',
    `## ${section}`,
    '',
    isLive ? LIVE : WAITING,
    '',
    ...table(['key', 'default', 'meaning'], rows),
    ...members.flatMap(keyLines),
  ]
}

function keyLines({ key, about, variable }) {
  return [
    '',
    `### ${key}`,
    '',
    `${about.description}.`,
    '',
    `- Default: ${writtenDefault(about.default)}: ${about.reason}.`,
    `- Must be: ${about.allowed}.`,
    `- In the environment: ${code(variable)}. For one start: ${code(`--set ${key}=VALUE`)}.`,
  ]
}

/** As it stands in the file. */
function writtenDefault(value) {
  return value === null ? 'not set' : code(JSON.stringify(value))
}

/** As GitHub makes it from a heading. */
function anchorOf(heading) {
  return heading.toLowerCase().replaceAll('.', '')
}
