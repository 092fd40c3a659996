/** The real llama-server lists every flag that we pass. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingFlags, OUR_FLAGS, readHelp } from '../../src/llama/probe-flags.ts'
import { testEngineFolder } from '../helpers/test-engine.ts'

test('the built engine lacks none of our flags', async () => {
  const help = await readHelp(join(testEngineFolder(), 'bin', 'llama-server'))
  expect(missingFlags(help)).toEqual([])
  expect(missingFlags(help, [...OUR_FLAGS, '--mlock'])).toEqual(['--mlock'])
})
