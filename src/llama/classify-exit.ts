/** How a run of llama-server ended, as a cause with words for a person. Pure. */
import type { ExitReason, RawExit } from '../engine.ts'
import {
  type ExitContext,
  type ExitMatcher,
  gpuMatchers,
  loaderMatchers,
  startMatchers,
} from './exit-matchers.ts'

/** What a shell reports for a child that died of a signal: 128 + its number. */
const signalOfCode: Readonly<Record<number, string>> = {
  132: 'SIGILL',
  133: 'SIGTRAP',
  134: 'SIGABRT',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  143: 'SIGTERM',
}

const notRunnable = new Set('ENOENT ENOTDIR EACCES EPERM ENOEXEC EISDIR ELOOP EBADARCH'.split(' '))

/** The exit was not asked for: the supervisor knows those. */
export function classifyExit(exit: RawExit, context: ExitContext): ExitReason {
  if (exit.spawnError !== null) return neverRan(exit.spawnError, context)
  const signal =
    exit.signal ?? (exit.exitCode === null ? undefined : signalOfCode[exit.exitCode]) ?? null
  const said =
    firstMatch(gpuMatchers, exit.lastLines, context) ??
    firstMatch(loaderMatchers, exit.lastLines, context) ??
    // A death by signal is not a refusal, whatever was said earlier.
    (signal === null && exit.exitCode !== 0
      ? firstMatch(startMatchers, exit.lastLines, context)
      : null)
  if (said !== null) return said
  return signal === null ? leftByItself(exit) : diedOf(signal, exit.lastLines)
}

function firstMatch(
  matchers: readonly ExitMatcher[],
  lines: readonly string[],
  context: ExitContext,
): ExitReason | null {
  for (const { cause, permanent, pattern, message, hint } of matchers) {
    for (const line of lines) {
      const match = pattern.exec(line)
      if (match === null) continue
      return { cause, permanent, message: message(match[1] ?? '', context), hint }
    }
  }
  return null
}

function neverRan(error: NonNullable<RawExit['spawnError']>, context: ExitContext): ExitReason {
  const permanent = error.errno !== null && notRunnable.has(error.errno)
  return {
    cause: permanent ? 'engine-missing' : 'unknown',
    permanent,
    message: `Cannot start llama-server: ${context.file} ${spawnProblem(error)}`,
    hint: permanent
      ? 'Run oss20bd build, or set engine.path in the config to an installed llama-server'
      : 'The operating system is short of processes, files or memory: close other apps',
  }
}

function spawnProblem(error: NonNullable<RawExit['spawnError']>): string {
  if (error.errno === 'ENOENT' || error.errno === 'ENOTDIR') return 'does not exist'
  if (error.errno === 'EACCES' || error.errno === 'EPERM') return 'is not executable'
  return `could not be run (${error.errno ?? error.message})`
}

function leftByItself(exit: RawExit): ExitReason {
  const status = `exit code ${exit.exitCode ?? 'unknown'}`
  const last = tellingLine(exit.lastLines)
  return {
    cause: exit.exitCode === 126 || exit.exitCode === 127 ? 'engine-missing' : 'unknown',
    permanent: exit.exitCode === 126 || exit.exitCode === 127,
    message: `llama-server ended by itself with ${status}${last === null ? '' : `: ${last}`}`,
    hint: 'Run oss20bd logs --engine for its last lines',
  }
}

function diedOf(signal: string, lines: readonly string[]): ExitReason {
  if (signal === 'SIGKILL') {
    return {
      cause: 'killed-by-os',
      permanent: false,
      message: 'llama-server was killed from outside (SIGKILL), most often for want of memory',
      hint: 'Close other apps, or set a smaller model.contextTokens in the config',
    }
  }
  if (signal === 'SIGABRT') {
    const why = lines.findLast((line) => abortLine.test(line)) ?? null
    return {
      cause: 'assert',
      permanent: false,
      message: `llama-server gave up on an inner error${why === null ? '' : `: ${why}`}`,
      hint: 'Run oss20bd logs --engine for its last lines',
    }
  }
  if (signal === 'SIGILL') {
    return {
      cause: 'signal',
      permanent: false,
      message: 'llama-server crashed (SIGILL): it was most often compiled for another processor',
      hint: 'Run oss20bd build',
    }
  }
  const asked = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'].includes(signal)
  return {
    cause: 'signal',
    permanent: false,
    message: `llama-server ${asked ? 'was ended from outside' : 'crashed'} (${signal})`,
    hint: asked ? null : 'Run oss20bd logs --engine for its last lines',
  }
}

/** `/src/ggml.c:123: GGML_ASSERT(x) failed`, `what():  ...`, `terminate called after ...`. */
const abortLine = /^\S+:\d+: |^\s*what\(\): |^terminate called|^libc\+\+abi: /

/** The line that most likely says why. */
function tellingLine(lines: readonly string[]): string | null {
  const said = lines.filter((line) => line.trim() !== '')
  return (
    said.findLast((line) => /error|fail|abort|invalid|exception|cannot/i.test(line)) ??
    said.at(-1) ??
    null
  )
}
