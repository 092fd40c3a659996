/** A long tool of somebody else's, and what it starts itself. */
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { runLongTool, toolEnvironment } from '../../src/cli/convert/long-tool.ts'

const env = toolEnvironment(process.env, null)

/** Its child holds the same pipes, and ignores a polite signal. */
const PARENT = `
const { spawn } = require('node:child_process')
const code = "process.on('SIGTERM', () => {}); console.log('child', process.pid); setInterval(() => {}, 1000)"
spawn(process.execPath, ['-e', code], { stdio: 'inherit' })
setInterval(() => {}, 1000)
`

/** A dead process is listed until somebody asks how it ended. */
async function isGone(pid: number): Promise<boolean> {
  const { stdout } = await execa('ps', ['-o', 'stat=', '-p', String(pid)], { reject: false })
  return stdout.trim() === '' || stdout.trim().startsWith('Z')
}

it('is gone with all that it started when it is not wanted any more', async () => {
  const wanted = new AbortController()
  const pids: number[] = []
  const running = runLongTool({
    file: process.execPath,
    args: ['-e', PARENT],
    env,
    signal: wanted.signal,
    onLine: (line) => {
      pids.push(Number(line.replace('child ', '')))
      wanted.abort(new Error('not wanted'))
    },
  })
  await expect(running).rejects.toThrowError('not wanted')
  expect(pids).toHaveLength(1)
  await expect.poll(() => isGone(pids[0] ?? 0), { timeout: 20_000 }).toBe(true)
})

it('tells each line of both streams, also those that are drawn over again, and how it ended', async () => {
  const lines: string[] = []
  const code =
    "process.stdout.write('1 %\\r2 %\\r'); console.error('it broke'); process.exitCode = 3"
  const end = await runLongTool({
    file: process.execPath,
    args: ['-e', code],
    env,
    signal: new AbortController().signal,
    onLine: (line) => lines.push(line),
  })
  expect(lines.toSorted()).toEqual(['1 %', '2 %', 'it broke'])
  expect(end).toMatchObject({ kind: 'failed', how: 'it ended with status 3' })
})

it('says when it could not be started', async () => {
  const { signal } = new AbortController()
  const tool = { file: '/no/such/tool', args: [], env, signal, onLine: () => undefined }
  const end = await runLongTool(tool)
  expect(end).toMatchObject({ kind: 'failed', how: expect.stringContaining('ENOENT') })
})

it('gets neither tokens nor settings of ours', () => {
  const given = {
    PATH: '/bin',
    HF_TOKEN: 'x',
    OSS20BD_HOME: '/x',
    PIP_INDEX_URL: 'y',
    PYTHONPATH: 'z',
  }
  expect(toolEnvironment(given, 'PIP_', { MORE: '1' })).toEqual({
    PATH: '/bin',
    PIP_INDEX_URL: 'y',
    MORE: '1',
  })
})
