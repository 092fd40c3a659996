/** The pages that people read first: both READMEs say the same, and nothing that is not so. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { isSettingKey } from '../../../src/config/schema.ts'

function read(file: string): string {
  return readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')
}

const english = read('README.md')
const japanese = read('README.ja.md')

/** What is written as code, in the order of the text; what a person reads in their own language is left out. */
function codesOf(text: string): readonly string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/`([^`]+)`/g)]
    .map(([, code = '']) => code)
    .map((code) => code.replaceAll(/"(?:Summarise|要約して)"/g, '"..."'))
}

function blocksOf(text: string): readonly string[] {
  return [...text.matchAll(/^```(\w+)\n/gm)].map(([, language = '']) => language)
}

function levelsOf(text: string): readonly string[] {
  return [...text.matchAll(/^(#+) /gm)].map(([, level = '']) => level)
}

test('both have the same sections and the same blocks of code', () => {
  expect(levelsOf(japanese)).toEqual(levelsOf(english))
  expect(blocksOf(japanese)).toEqual(blocksOf(english))
})

test('both name the same commands, options, keys and places', () => {
  expect(new Set(codesOf(japanese))).toEqual(new Set(codesOf(english)))
})

test('both link to the same pages, and all of them are there', () => {
  const links = [english, japanese].map((text) =>
    [...text.matchAll(/\]\(([^)]+)\)/g)]
      .map(([, target = '']) => target)
      // Each names the other; what is on the port is there only while it runs.
      .filter((target) => !/^(?:README|http)/.test(target)),
  )
  expect(new Set(links[1])).toEqual(new Set(links[0]))
  for (const target of links.flat())
    expect(existsSync(new URL(`../../../${target}`, import.meta.url))).toBe(true)
})

test('every command has its row, and no other has one', () => {
  const rows = [...english.matchAll(/^\| (`oss20bd [^|]*) \|/gm)].map(([, cell = '']) => cell)
  const named = rows.flatMap((cell) =>
    [...cell.matchAll(/`(?:oss20bd )?(\w+)/g)].map(([, name = '']) => name),
  )
  // Told in the row of another.
  const told = [...named, 'inspect', 'verify']
  const there = [...COMMANDS.map(({ name }) => name.split(' ')[0] ?? ''), 'completion']
  expect(told.toSorted()).toEqual(there.toSorted())
})

test('every key that is named exists', () => {
  const keys = codesOf(english)
    .map((code) => code.split(' ')[0] ?? '')
    .filter((code) =>
      /^(?:model|engine|restart|health|power|proxy|memory|idle|log|notify)\.[a-zA-Z]+$/.test(code),
    )
  expect(keys.length).toBeGreaterThan(2)
  expect(keys.filter((key) => !isSettingKey(key))).toEqual([])
})
