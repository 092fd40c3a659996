/** Asks a llama-server binary which flags it knows, so that one that is too old is named before it is started. */
import { execFile } from 'node:child_process'
import type { ExitReason } from '../engine.ts'
import { serverArgs } from './server-args.ts'

/** Every flag of ours, whatever the config says; the user's own are the user's to answer for. */
export const OUR_FLAGS: readonly string[] = serverArgs({
  file: '',
  modelPath: '',
  alias: '',
  socketPath: '',
  contextTokens: 1,
  slots: 1,
  cacheType: 'f16',
  cacheRamMiB: 0,
  extraArgs: [],
  xdgConfigHome: '',
}).filter((arg) => arg.startsWith('--'))

/** What `--help` prints, or null when it does not end well within 10 s. */
export function readHelp(file: string): Promise<string | null> {
  // No `LLAMA_ARG_*` of the user: a wrong one would fail it.
  const env = { PATH: process.env['PATH'] ?? '' }
  const options = { env, timeout: 10_000, maxBuffer: 2_000_000 }
  return new Promise((resolve) => {
    // Not execa: without a file descriptor to spare it would end the daemon (docs/decisions/0002).
    const child = execFile(file, ['--help'], options, (error, stdout, stderr) => {
      resolve(error === null ? `${stdout}\n${stderr}` : null)
    })
    child.stdin?.end()
  })
}

/**
 * Those of `flags` that the help does not list. None when it lists no `--model`: then it is no help of
 * a llama-server, and proves nothing. Pure.
 */
export function missingFlags(
  help: string | null,
  flags: readonly string[] = OUR_FLAGS,
): readonly string[] {
  // Descriptions name flags as well: only what a line begins with is listed.
  const heads = help?.match(/^(?:--?[a-z][\w-]*,?[ \t]*)+/gim) ?? []
  const listed = new Set(heads.flatMap((head) => head.match(/--[a-z][\w-]*/gi) ?? []))
  return listed.has('--model') ? flags.filter((flag) => !listed.has(flag)) : []
}

/** Why an engine that lacks these flags is not started; null when it lacks none. Pure. */
export function tooOld(file: string, missing: readonly string[]): ExitReason | null {
  if (missing.length === 0) return null
  const flags = missing.length === 1 ? 'the flag' : 'the flags'
  return {
    cause: 'bad-flag',
    permanent: true,
    message: `Cannot start llama-server: ${file} is too old, it lacks ${flags} ${missing.join(', ')}`,
    hint: 'Run oss20bd build, or set engine.path in the config to a newer llama-server',
  }
}
