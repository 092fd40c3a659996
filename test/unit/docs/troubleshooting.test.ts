/** The table of troubles and what the doctor finds are the same. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { unusable } from '../../../src/cli/doctor/model.ts'
import type { ModelFileProblem } from '../../../src/model/model-file.ts'

const root = new URL('../../../', import.meta.url)

function read(file: string): string {
  return readFileSync(new URL(file, root), 'utf8')
}

const page = read('docs/troubleshooting.md')
const rows = [...page.matchAll(/^\| (.+) \| (.+) \| (.+) \|$/gm)]
  .map(([, seen = '', found = '', mend = '']) => ({ seen, found, mend }))
  .filter(({ seen }) => !/^(?:What you see|---)/.test(seen))

/** What a cell has as code. */
function codes(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** The ids that the judges give, as their files have them. */
function idsOf(folder: string, isWanted: (file: string) => boolean): readonly string[] {
  const files = readdirSync(new URL(folder, root)).filter(isWanted)
  return files.flatMap((file) => {
    const found = read(folder + file).matchAll(/(?:\bid: |\bfinding\(\s*)'([a-z][a-z-]+)'/g)
    return [...found].map(([, id = '']) => id)
  })
}

const kinds: Record<ModelFileProblem['kind'], true> = {
  missing: true,
  folder: true,
  empty: true,
  'not-gguf': true,
  legacy: true,
  'cut-short': true,
  unreadable: true,
  shortage: true,
}

function modelId(kind: string): string {
  const problem = Object.keys(kinds).find((each): each is ModelFileProblem['kind'] => each === kind)
  const check = { kind: problem ?? 'missing', message: '', hint: '' }
  return unusable('/m', check, false).findings[0]?.id ?? ''
}

test('each row names findings that there are, and every finding has its row', () => {
  const found = [
    ...idsOf('src/cli/doctor/', () => true),
    ...idsOf('src/service/', (file) => file.startsWith('launchd-')),
    ...Object.keys(kinds).map(modelId),
  ]
  const named = rows.flatMap(({ found: cell }) => codes(cell))
  expect(found.length).toBeGreaterThan(60)
  expect([...new Set(named)].toSorted()).toEqual([...new Set(found)].toSorted())
  expect(named.length).toBe(new Set(named).size)
})

test('every command that is named exists', () => {
  const commands = new Set(COMMANDS.map(({ name }) => name.split(' ')[0]))
  const named = [...page.matchAll(/oss20bd ([a-z]+)/g)].map(([, name = '']) => name)
  expect(named.filter((name) => !commands.has(name))).toEqual([])
  expect(rows.every(({ mend }) => mend !== '')).toBe(true)
})
