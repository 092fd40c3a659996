import { expect, test } from 'vitest'
import { readPlainPlan } from '../../../src/cli/plain-plan.ts'

test.each([
  ['', { json: false, args: {} }],
  ['--json', { json: true, args: {} }],
  [
    '--memory 24GiB --gpu=16GiB --model m.gguf --context 65536',
    { json: false, args: { memory: '24GiB', gpu: '16GiB', model: 'm.gguf', context: 65_536 } },
  ],
])('plan %s is plain', (line, expected) => {
  expect(readPlainPlan(line.split(' ').filter(Boolean))).toEqual(expected)
})

test.each([
  '--help',
  '--set log.level=debug',
  '--config x.toml',
  '--memory',
  '--memory 1GiB --memory 2GiB',
  '--context many',
  '--context=',
  'now',
  '--no-json',
])('plan %s is left to the parser', (line) => {
  expect(readPlainPlan(line.split(' '))).toBeNull()
})
