/** Puts our part into somebody's config file, and leaves the rest as it is: comments, order, spaces. Pure. */
import {
  applyEdits,
  type JSONPath,
  modify,
  parse as parseJsonc,
  type ParseError,
} from 'jsonc-parser'
import { isMap, isSeq, parseDocument, stringify } from 'yaml'
import { Oss20bdError } from '../../errors.ts'

/** Sets values in JSON with or without comments. `null` = there is no file yet. Throws `usage`. */
export function editJson(
  text: string | null,
  values: readonly (readonly [path: JSONPath, value: unknown])[],
): string {
  const start = text === null || text.trim() === '' ? '{}\n' : text
  const errors: ParseError[] = []
  const known: unknown = parseJsonc(start, errors, { allowTrailingComma: true })
  if (errors.length > 0 || typeof known !== 'object' || known === null || Array.isArray(known)) {
    throw notReadable('JSON')
  }
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: '\n' }
  return values.reduce(
    (edited, [path, value]) =>
      applyEdits(edited, modify(edited, path, value, { formattingOptions })),
    start,
  )
}

/** Adds a member to the list `name` of a YAML file, or replaces the one of the same name in it. Throws `usage`. */
export function editYamlList(
  text: string | null,
  name: string,
  member: Readonly<Record<string, unknown>> & { readonly name: string },
  otherwise: Readonly<Record<string, unknown>>,
): string {
  const isEmpty = text === null || text.trim() === ''
  const document = parseDocument(isEmpty ? stringify(otherwise) : text)
  if (document.errors.length > 0) throw notReadable('YAML')
  if (!isMap(document.contents)) throw notReadable('YAML')
  const list = document.get(name)
  if (list === undefined || list === null) document.set(name, document.createNode([member]))
  else if (!isSeq(list)) throw notReadable('YAML')
  else {
    const node = document.createNode(member)
    const index = list.items.findIndex((item) => isMap(item) && item.get('name') === member.name)
    if (index === -1) list.add(node)
    else list.items[index] = node
  }
  return document.toString()
}

/**
 * Puts one table into a TOML file: over the one of that name, else at the end. By its lines, since no
 * TOML library keeps comments.
 */
export function editTomlTable(
  text: string | null,
  table: string,
  lines: readonly string[],
): string {
  const block = [`[${table}]`, ...lines]
  const before = (text ?? '').split('\n')
  const start = before.findIndex((line) => line.trim() === `[${table}]`)
  if (start === -1) {
    const rest = (text ?? '').trimEnd()
    return `${rest}${rest === '' ? '' : '\n\n'}${block.join('\n')}\n`
  }
  const next = before.findIndex((line, index) => index > start && line.trimStart().startsWith('['))
  const tail = next === -1 ? [] : ['', ...before.slice(next)]
  const edited = [...before.slice(0, start), ...block, ...tail].join('\n')
  return edited.endsWith('\n') ? edited : `${edited}\n`
}

function notReadable(format: string): Oss20bdError {
  return new Oss20bdError('usage', `Cannot change the file: it is no ${format} that can be read`, {
    hint: 'Correct it in an editor, or add by hand what the command shows without --write',
  })
}
