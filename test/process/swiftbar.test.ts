import { chmod, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import type { Status } from '../../src/daemon/control-protocol.ts'
import { makeStatus } from '../helpers/status.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const plugin = fileURLToPath(new URL('../../integrations/swiftbar/oss20bd.10s.sh', import.meta.url))

/** What the menu bar is told when `oss20bd status --json` answers this; null: there is no daemon. */
async function menu(status: Status | null): Promise<readonly string[]> {
  await using folder = await tempDir()
  const program = folder.file('oss20bd')
  const answer = folder.file('status.json')
  await writeFile(answer, status === null ? '' : JSON.stringify(status, undefined, 2))
  await writeFile(program, `#!/bin/sh\ncat '${answer}'\nexit 4\n`)
  await chmod(program, 0o755)
  const { stdout } = await execa('sh', [plugin], { env: { OSS20BD: program } })
  return stdout.replaceAll(program, 'PROGRAM').split('\n')
}

const dashboard = 'Open the dashboard | bash="PROGRAM" param1=open terminal=false refresh=true'

test('the menu shows state, memory, speed and requests, and what can be done', async () => {
  expect(await menu(makeStatus())).toEqual([
    '● ready',
    '---',
    'answering',
    'gpt-oss-20b',
    'Memory: 12.0 GiB of 28.0 GiB',
    'Speed: 41.2 tokens/s',
    'Requests: 1 in flight, 0 queued',
    '---',
    dashboard,
    'Restart | bash="PROGRAM" param1=restart terminal=false refresh=true',
    'Unload | bash="PROGRAM" param1=unload terminal=false refresh=true',
  ])
})

test('without a daemon the menu offers to start it', async () => {
  expect(await menu(null)).toEqual([
    'oss20bd off',
    '---',
    'The daemon is not running',
    'Start | bash="PROGRAM" param1=start terminal=false refresh=true',
  ])
})

test('what is not known is unknown, never 0', async () => {
  const status = makeStatus({
    memory: { footprintBytes: null },
    throughput: { generatedTokensPerSecond: null },
  })
  const lines = await menu(status)
  expect(lines).toContain('Memory: unknown of 28.0 GiB')
  expect(lines).toContain('Speed: unknown')
})

test('no words of the daemon become a command of the menu', async () => {
  const hint = '--- "a" | bash=evil\n---\u001b[31m 日本語'
  const status = makeStatus({ engine: { state: 'failed', hint } })
  const lines = await menu(status)
  expect(lines[0]).toBe('✕ failed')
  expect(lines).toContain(` 'a' / bash=evil --- [31m 日本語`)
})

test('a program that is not there is said', async () => {
  const { stdout } = await execa('sh', [plugin], { env: { OSS20BD: '/nowhere/oss20bd' } })
  expect(stdout).toContain('oss20bd is not found')
})
