/** The real doors to the system for death evidence: files and tools, within limits. */
import { execFile } from 'node:child_process'
import { open, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import type { HostReaders } from './evidence.ts'

/** The largest list of kills has a few hundred KiB. */
const largestTextBytes = 8 * 2 ** 20
const largestOutputBytes = 16 * 2 ** 20

/** Nothing in it rejects or throws. Tools are looked for on the PATH of `environment`. */
export function systemReaders(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): HostReaders {
  const env = { LC_ALL: 'C', PATH: environment['PATH'] ?? '/usr/bin:/bin' }
  return {
    homeFolder: homedir(),
    listFolder: (path) => readdir(path).catch(() => null),
    modifiedAtMs: (path) =>
      stat(path).then(
        ({ mtimeMs, size }) => (size > largestTextBytes ? null : mtimeMs),
        () => null,
      ),
    readText: (path) => readBeginning(path).catch(() => null),
    run: (file, args, deadlineMs, signal) => run(file, args, { env, signal, timeout: deadlineMs }),
    // Its zero is the boot on Linux, like that of the kernel's log lines.
    kernelUptimeMs: () =>
      process.platform === 'linux' ? Number(process.hrtime.bigint() / 1_000_000n) : null,
  }
}

async function readBeginning(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const chunks: Buffer[] = []
  let bytes = 0
  // Files of /proc and /sys have no size that could be asked for.
  while (bytes < largestTextBytes) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, null)
    if (bytesRead === 0) break
    bytes += bytesRead
    chunks.push(buffer.subarray(0, bytesRead))
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** LC_ALL=C: the words of these tools are read by machine. What came before a deadline is of use too. */
function run(
  file: string,
  args: readonly string[],
  options: { env: Record<string, string>; signal: AbortSignal; timeout: number },
): Promise<string | null> {
  const limits = { maxBuffer: largestOutputBytes, killSignal: 'SIGKILL' } as const
  return new Promise((resolve) => {
    try {
      execFile(file, [...args], { ...options, ...limits }, (error, stdout) => {
        resolve(error !== null && stdout === '' ? null : stdout)
      })
    } catch {
      resolve(null)
    }
  })
}
