/** How a run of llama-server ended, as a cause with words for a person. Pure. */
import type { ExitReason, RawExit } from '../engine.ts'
import { type ExitContext, type ExitMatcher, logsHint, reinstallHint } from './exit-matcher.ts'
import { abortMatchers, loaderMatchers, startMatchers } from './exit-matchers.ts'
import { gpuErrorIn } from './gpu-errors.ts'

/** What a shell reports for a child that died of a signal: 128 + its number. */
const signalOfCode: Readonly<Record<number, string>> = {
  132: 'SIGILL',
  133: 'SIGTRAP',
  134: 'SIGABRT',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  143: 'SIGTERM',
}

/** `Unknown system error -86` is EBADARCH of macOS, which Node has no name for. */
const notRunnable = new Set([
  ...'ENOENT ENOTDIR EACCES EPERM ENOEXEC EISDIR ELOOP ENAMETOOLONG EBADARCH'.split(' '),
  'Unknown system error -86',
])

/**
 * The loader of the operating system speaks before the engine does. Later a line like its own would be
 * somebody's words, and must not stop the retries.
 */
const loaderLines = 8

const shortages = new Set('EMFILE ENFILE EAGAIN ENOMEM'.split(' '))

/** The exit was not asked for: the supervisor knows those. */
export function classifyExit(exit: RawExit, context: ExitContext): ExitReason {
  if (exit.spawnError !== null) return neverRan(exit.spawnError, context)
  const signal =
    exit.signal ?? (exit.exitCode === null ? undefined : signalOfCode[exit.exitCode]) ?? null
  return (
    refusedByLoader(exit.lastLines, context) ??
    gpuErrorIn(exit.lastLines) ??
    saidBefore(exit, signal, context) ??
    (signal === null ? leftByItself(exit, context) : diedOf(signal, exit.lastLines, context))
  )
}

function refusedByLoader(lines: readonly string[], context: ExitContext): ExitReason | null {
  const engineSpoke = lines.some((line) => line.includes('llama_server: initializing'))
  if (engineSpoke || lines.length > loaderLines) return null
  return firstMatch(loaderMatchers, lines, context)
}

/** A death by another signal than SIGABRT is no refusal, whatever was said earlier. */
function saidBefore(exit: RawExit, signal: string | null, context: ExitContext): ExitReason | null {
  if (signal === 'SIGABRT') return firstMatch(abortMatchers, exit.lastLines, context)
  if (signal !== null || exit.exitCode === 0) return null
  return firstMatch(startMatchers, exit.lastLines, context)
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
      return { cause, permanent, message: message(match[1] ?? '', context).trimEnd(), hint }
    }
  }
  return null
}

function neverRan(error: NonNullable<RawExit['spawnError']>, context: ExitContext): ExitReason {
  if (error.errno === 'E2BIG') {
    return {
      cause: 'bad-flag',
      permanent: true,
      message: `Cannot start llama-server: the arguments for ${context.file} are too long`,
      hint: 'Shorten engine.extraArgs in the config, then run oss20bd restart',
    }
  }
  const permanent = error.errno !== null && notRunnable.has(error.errno)
  const isShortage = error.errno !== null && shortages.has(error.errno)
  return {
    cause: permanent ? 'engine-missing' : isShortage ? 'system-shortage' : 'unknown',
    permanent,
    message: `Cannot start llama-server: ${context.file} ${spawnProblem(error)}`,
    hint: permanent
      ? reinstallHint
      : 'The operating system is short of processes, files or memory: close other apps',
  }
}

function spawnProblem(error: NonNullable<RawExit['spawnError']>): string {
  if (error.errno === 'ENOENT' || error.errno === 'ENOTDIR') return 'does not exist'
  if (error.errno === 'EACCES' || error.errno === 'EPERM') return 'is not executable'
  if (error.errno === 'ENOEXEC') return 'is no program for this machine (ENOEXEC)'
  if (error.errno === 'ETXTBSY') return 'is being written (ETXTBSY)'
  return `could not be run (${error.errno ?? error.message})`
}

function leftByItself(exit: RawExit, context: ExitContext): ExitReason {
  const last = tellingLine(exit.lastLines)
  const why = last === null ? '' : `: ${last}`
  if (exit.exitCode === 126 || exit.exitCode === 127) {
    return {
      cause: 'engine-missing',
      permanent: true,
      message: `Cannot start llama-server: ${context.file} cannot be run (exit code ${exit.exitCode})${why}`,
      hint: reinstallHint,
    }
  }
  if (last === null && exit.exitCode === 0) {
    // As an empty file does, which a shell runs.
    return {
      cause: 'unknown',
      permanent: false,
      message: `llama-server ended without a word: ${context.file} is most likely none`,
      hint: reinstallHint,
    }
  }
  return {
    cause: 'unknown',
    permanent: false,
    message: `llama-server ended by itself with exit code ${exit.exitCode ?? 'unknown'}${why}`,
    hint: logsHint,
  }
}

function diedOf(signal: string, lines: readonly string[], context: ExitContext): ExitReason {
  if (signal === 'SIGKILL') {
    return {
      cause: 'killed-by-os',
      permanent: false,
      message: 'llama-server was killed from outside (SIGKILL), most often for want of memory',
      hint: 'Close other apps, or set a smaller model.contextTokens in the config',
    }
  }
  if (signal === 'SIGABRT') {
    const why = lastWords(lines)
    return {
      cause: 'assert',
      permanent: false,
      message: `llama-server gave up on an inner error${why === '' ? '' : `: ${why}`}`,
      hint: logsHint,
    }
  }
  return { cause: 'signal', permanent: false, ...signalWords(signal, context) }
}

function signalWords(signal: string, context: ExitContext): Pick<ExitReason, 'message' | 'hint'> {
  if (signal === 'SIGILL') {
    return {
      message: `llama-server crashed (SIGILL): ${context.file} was most often compiled for another processor`,
      hint: 'Run oss20bd build',
    }
  }
  if (signal === 'SIGBUS') {
    return {
      message: `llama-server crashed (SIGBUS): most often ${context.modelPath} was changed or its disk went away while it was in use`,
      hint: 'Check that the disk with the model is there and sound; it is tried again by itself',
    }
  }
  const asked = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'].includes(signal)
  return {
    message: `llama-server ${asked ? 'was ended from outside' : 'crashed'} (${signal})`,
    hint: asked ? null : logsHint,
  }
}

/** `/src/ggml.c:123: GGML_ASSERT(x) failed`, `what():  ...`, `terminate called after ...`. */
const abortLine = /^[^:]+\.\w{1,3}:\d+: |^\s*what\(\): |^terminate called|^libc\+\+abi: /

/** The last two of those, without the folder that the engine was compiled in. */
function lastWords(lines: readonly string[]): string {
  return lines
    .filter((line) => abortLine.test(line))
    .slice(-2)
    .map((line) => line.trim().replace(/^[^:]*\/(?=[^/:]+:\d+: )/, ''))
    .join(', ')
}

/** The line that most likely says why. */
function tellingLine(lines: readonly string[]): string | null {
  const said = lines.filter((line) => line.trim() !== '')
  return (
    said.findLast((line) => /error|fail|abort|invalid|exception|cannot/i.test(line)) ??
    said.at(-1) ??
    null
  )
}
