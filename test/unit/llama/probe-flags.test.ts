import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { missingFlags, OUR_FLAGS, readHelp, tooOld } from '../../../src/llama/probe-flags.ts'
import { puppetFile } from '../../helpers/puppet.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const whole = OUR_FLAGS.map((flag) => `-x,    ${flag} N          what it does`).join('\n')

describe('the flags of a llama-server', () => {
  test('a build that lists all of ours lacks none', () => {
    expect(missingFlags(whole)).toEqual([])
    expect(tooOld('/bin/llama-server', [])).toBeNull()
  })

  test.each(['--log-jsonl', '--no-ui', '--cache-ram'])(
    'it names %s when that is lacking',
    (flag) => {
      const help = whole.replace(`${flag} `, '')
      expect(missingFlags(help)).toEqual([flag])
    },
  )

  test('neither a longer flag nor a description stands in for a flag', () => {
    expect(missingFlags('--model F  as --slots do\n--slots-debug N', ['--slots'])).toEqual([
      '--slots',
    ])
  })

  test('what is no help of a llama-server proves nothing', () => {
    expect(missingFlags(null)).toEqual([])
    expect(missingFlags('usage: something --else')).toEqual([])
  })

  test('the reason names the file and the flags, and is not retried', () => {
    expect(tooOld('/opt/llama-server', ['--no-ui', '--log-jsonl'])).toEqual({
      cause: 'bad-flag',
      permanent: true,
      message:
        'Cannot start llama-server: /opt/llama-server is too old, it lacks the flags --no-ui, --log-jsonl',
      hint: 'Run oss20bd build, or set engine.path in the config to a newer llama-server',
    })
  })

  test('it asks the program itself, and one that fails told nothing', async () => {
    await using dir = await tempDir()
    const [good, bad] = [dir.file('good'), dir.file('bad')]
    await writeFile(good, '#!/bin/sh\necho "-m, --model FILE"\n', { mode: 0o755 })
    await writeFile(bad, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    expect(missingFlags(await readHelp(good), ['--model', '--no-ui'])).toEqual(['--no-ui'])
    expect(await readHelp(bad)).toBeNull()
    expect(missingFlags(await readHelp(puppetFile))).toEqual([])
  })
})
