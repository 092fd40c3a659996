import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { findDeathEvidence, type DeathEvidence } from '../../../src/host/death-evidence.ts'
import { readOomKillCount } from '../../../src/host/oom-count.ts'
import { systemReaders } from '../../../src/host/system-readers.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

/** A tool of that name, on a PATH of the test's own. */
async function standIn(dir: TempDir, name: string, script: string): Promise<void> {
  await writeFile(dir.file(name), `#!/bin/sh\n${script}\n`)
  await chmod(dir.file(name), 0o755)
}

function find(dir: TempDir, signal: string): Promise<DeathEvidence | null> {
  const diedAtMs = Date.now()
  const death = {
    pid: 4711,
    name: 'llama-server',
    signal,
    startedAtMs: diedAtMs - 60_000,
    diedAtMs,
  }
  return findDeathEvidence(death, {
    platform: 'linux',
    // The waits between two looks are not what is tested.
    clock: { ...systemClock, sleep: () => Promise.resolve() },
    signal: new AbortController().signal,
    readers: systemReaders({ PATH: `${dir.path}:/usr/bin:/bin` }),
    oomKillsBefore: null,
  })
}

describe('death evidence by the tools of the system', () => {
  it('is what journalctl prints, in English whatever the language of the user', async () => {
    await using dir = await tempDir()
    const line =
      '$(date -u +%Y-%m-%dT%H:%M:%S)+0000 vm kernel: Out of memory: Killed process 4711 (llama-server) total-vm:9kB, anon-rss:2097152kB, file-rss:0kB'
    await standIn(dir, 'journalctl', `[ "$LC_ALL" = C ] && echo "${line}"`)
    await standIn(dir, 'dmesg', 'exit 1')
    expect(await find(dir, 'SIGKILL')).toMatchObject({
      kind: 'memory-kill',
      message:
        'The Linux kernel killed llama-server (pid 4711) to get memory back: the memory of this machine ran out, it held 2.0 GiB',
    })
  })

  it('is nothing where no tool may read the log', async () => {
    await using dir = await tempDir()
    await standIn(
      dir,
      'journalctl',
      'echo "No journal files were opened due to insufficient permissions." >&2; exit 1',
    )
    await standIn(
      dir,
      'dmesg',
      'echo "dmesg: read kernel buffer failed: Operation not permitted" >&2; exit 1',
    )
    expect(await find(dir, 'SIGSEGV')).toMatchObject({
      kind: 'nothing-found',
      message:
        'llama-server (pid 4711) was ended by SIGSEGV, and the kernel log cannot be read here',
    })
  })
})

describe('the readers', () => {
  const { signal } = new AbortController()

  it('end a tool at its deadline and keep what it had printed', async () => {
    await using dir = await tempDir()
    await standIn(dir, 'slow', 'echo first; exec sleep 60')
    const readers = systemReaders({ PATH: `${dir.path}:/usr/bin:/bin` })
    expect(await readers.run('slow', [], 1000, signal)).toBe('first\n')
  })

  it('keep the beginning of a flood', async () => {
    const readers = systemReaders()
    const output = await readers.run('/bin/sh', ['-c', 'yes | head -c 20000000'], 10_000, signal)
    expect(output?.length).toBe(16 * 2 ** 20)
  })

  it('have null for what is not there, and never reject', async () => {
    await using dir = await tempDir()
    const readers = systemReaders({})
    const aborted = AbortSignal.abort()
    expect(await readers.run('oss20bd-no-such-tool', [], 1000, signal)).toBeNull()
    expect(await readers.run('/bin/sh', ['-c', 'echo never'], 1000, aborted)).toBeNull()
    expect(await readers.listFolder(dir.file('none'))).toBeNull()
    expect(await readers.readText(dir.path)).toBeNull()
    expect(await readers.readText(dir.file('none'))).toBeNull()
    expect(await readers.modifiedAtMs(dir.file('none'))).toBeNull()
  })

  it('read a report, with when it was written, and leave one that is too large', async () => {
    await using dir = await tempDir()
    await mkdir(dir.file('reports'))
    await writeFile(dir.file('reports', 'a.ips'), 'é'.repeat(100_000))
    await writeFile(dir.file('reports', 'b.ips'), Buffer.alloc(8 * 2 ** 20 + 1))
    const readers = systemReaders()
    expect(await readers.listFolder(dir.file('reports'))).toEqual(['a.ips', 'b.ips'])
    expect(await readers.readText(dir.file('reports', 'a.ips'))).toBe('é'.repeat(100_000))
    expect(await readers.modifiedAtMs(dir.file('reports', 'a.ips'))).toBeGreaterThan(
      Date.now() - 60_000,
    )
    expect(await readers.modifiedAtMs(dir.file('reports', 'b.ips'))).toBeNull()
  })

  it('read the counter of this machine, or know that it has none', async () => {
    const count = await readOomKillCount()
    expect(count === null || count >= 0).toBe(true)
  })
})
