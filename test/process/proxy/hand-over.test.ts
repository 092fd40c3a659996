/** Connections that are given to another process, and what their clients send meanwhile. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import type { Given, PortTaker } from '../../../src/proxy/hand-over.ts'
import { bodyOf, startRig } from '../../helpers/proxy-rig.ts'
import { postText, rawClient } from './raw.ts'

const TAKER = fileURLToPath(new URL('../../fixtures/connection-taker.mjs', import.meta.url))

async function startTaker(): Promise<ChildProcess> {
  const child = fork(TAKER)
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

/** Resolves when the process stands still: a signal takes its time. */
async function stopped(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP')
  while (!/^\d+ \(.*\) T /u.test(await readFile(`/proc/${child.pid}/stat`, 'utf8')))
    await nextTurn()
}

test.runIf(process.platform === 'linux')(
  'what an idle client sends while its connection is on the way is not lost',
  async () => {
    await using rig = await startRig((req, res) => {
      void bodyOf(req).then(() => res.end('answer'))
    })
    const child = await startTaker()
    const client = await rawClient(rig)
    client.send(postText('/first'))
    expect((await client.answer())?.body).toBe('answer')
    const offers: (() => Given | null)[] = []
    const taker: PortTaker = {
      takeListener: () => Promise.resolve(),
      takeConnection: (give) => void offers.push(give),
      hasAll: () => Promise.resolve(),
    }
    await rig.proxy.handOver(taker)
    const given = offers.map((give) => give()).find((one) => one !== null)
    await stopped(child)
    child.send('connection', given?.socket)
    client.send(postText('/second'))
    // As long as it takes the port to serve another one: what it would read, it has read.
    for (let turn = 0; turn < 100; turn += 1) await nextTurn()
    const taken = once(child, 'message')
    child.kill('SIGCONT')
    await taken
    const [said] = await once(child, 'message', { signal: AbortSignal.timeout(10_000) })
    expect(said).toContain('POST /second HTTP/1.1')
  },
)
