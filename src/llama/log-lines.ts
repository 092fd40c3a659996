/** One line of llama-server's output to what it says, safe to log. Pure; never throws. */
import type { EngineFact, EngineLine, LogLevel } from '../engine.ts'
import { readBroken, readGpuError } from './gpu-errors.ts'
import { notLogged, redactMessage, redactRawLine } from './redact.ts'

const maxTextLength = 2000
/** Nothing behind it is logged, so nothing behind it is looked at. */
const readLength = maxTextLength * 2
const statePrefix = 'cmd_child_to_router:state:'
/** `0.00.011.305 I srv  llama_server: ...` */
const textLog = /^\d+\.\d\d\.\d{3}\.\d{3} ([A-Z]) (.*)$/s

/** How the engine was told to log: as JSON on stdout (`--log-jsonl`), or as text on stderr. */
type LogFormat = 'jsonl' | 'text'

type ReadLine = (line: string, stream?: 'stdout' | 'stderr') => EngineLine

/**
 * Reads JSON log lines and child protocol lines (stdout), text log lines and raw text such as an
 * abort (stderr). Anything else is a debug line that says how long it was.
 *
 * A grammar that cannot be parsed is echoed to stderr, raw and line by line: there a request can say
 * whatever it likes. So an engine that logs JSON tells facts in JSON only, and on stdout only where
 * `stream` is known. `text` believes text as well: for captures, puppets and `--no-log-jsonl`.
 */
export function lineReader(format: LogFormat): ReadLine {
  return (line, stream) => {
    const clean = line.trimEnd()
    if (format === 'text' || stream !== 'stderr') {
      if (clean.startsWith(statePrefix)) return readState(clean.slice(statePrefix.length))
      if (clean.startsWith('{"')) return readJson(clean)
    }
    return readText(clean, format)
  }
}

/** Believes every form of line. */
export const readLine: ReadLine = lineReader('text')

function readText(line: string, format: LogFormat): EngineLine {
  const text = textLog.exec(line)
  const level = text === null ? rawLevel(line) : letterLevel(text[1])
  const message = text === null ? line.replace(/^E (?=\S)/, '') : (text[2] ?? '')
  if (format === 'jsonl' && readGpuError(message) !== null)
    return { level, text: notLogged(line.length), facts: [] }
  if (text !== null) return logLine(level, message)
  const broken = readBroken(message)
  return {
    level,
    text: line === '' ? '' : tidy(redactRawLine(line)),
    facts: broken === null ? [] : [{ kind: 'broken', reason: broken }],
  }
}

function readState(json: string): EngineLine {
  const message = parseObject(json)
  const state = message?.['state']
  if (state === 'ready') return { level: 'info', text: 'model loaded', facts: [{ kind: 'loaded' }] }
  const value = state === 'loading' ? loadProgress(message?.['payload']) : null
  if (value !== null) {
    const facts: EngineFact[] = [{ kind: 'load-progress', value }]
    return { level: 'debug', text: `loading the model: ${Math.round(value * 100)} %`, facts }
  }
  return { level: 'debug', text: tidy(`engine state: ${String(state)}`), facts: [] }
}

/** All stages together, 0 to 1; null when it cannot be told. */
function loadProgress(payload: unknown): number | null {
  if (!isObject(payload)) return null
  const value = payload['value']
  if (typeof value !== 'number' || !Number.isFinite(value)) return null
  const within = Math.min(1, Math.max(0, value))
  const stages = Array.isArray(payload['stages']) ? payload['stages'] : []
  const index = stages.indexOf(payload['current'])
  return index === -1 ? within : (index + within) / stages.length
}

function readJson(line: string): EngineLine {
  const object = parseObject(line)
  if (object === null) return readCutJson(line)
  if (object['type'] === 'log') {
    return logLine(
      wordLevel(object['level']),
      typeof object['msg'] === 'string' ? object['msg'] : '',
    )
  }
  if (object['type'] === 'fit_memory_breakdown') {
    return {
      level: 'info',
      text: tidy(`memory plan: ${JSON.stringify(object['data'])}`),
      facts: [],
    }
  }
  return { level: 'debug', text: notLogged(line.length), facts: [] }
}

/** A log line too long to be whole: the beginning of its message is still there. */
function readCutJson(line: string): EngineLine {
  const match = /^\{"type":"log","time":\d+,"level":"(\w+)","msg":"(.*)$/s.exec(line)
  if (match === null) return { level: 'debug', text: notLogged(line.length), facts: [] }
  const message = match[2] ?? ''
  const head = message.slice(0, readLength).replaceAll('\\n', '\n')
  return logLine(wordLevel(match[1]), head + message.slice(readLength))
}

/** Said after each reading of the counters, so every five seconds: the log would hold little else. */
const idleAgain = /\ball slots are idle$/

function logLine(level: LogLevel, message: string): EngineLine {
  if (idleAgain.test(message)) return { level: 'debug', text: tidy(message), facts: [] }
  // Whole requests and answers are printed at debug.
  if (level === 'debug') return { level, text: notLogged(message.length), facts: [] }
  const broken = level === 'error' ? readBroken(message) : null
  return {
    level,
    text: tidy(redactMessage(message)),
    facts: broken === null ? [] : [{ kind: 'broken', reason: broken }],
  }
}

function wordLevel(word: unknown): LogLevel {
  return word === 'error' || word === 'warn' || word === 'debug' ? word : 'info'
}

function letterLevel(letter: string | undefined): LogLevel {
  if (letter === 'E') return 'error'
  if (letter === 'W') return 'warn'
  return letter === 'D' ? 'debug' : 'info'
}

/** No log call made this line: an abort, a loader, the answer to a wrong argument, or noise. */
function rawLevel(line: string): LogLevel {
  const head = line.slice(0, readLength)
  if (/\berror\b|GGML_ASSERT|terminat(?:e called|ing)|what\(\)|Library not loaded/i.test(head))
    return 'error'
  if (/^warn/i.test(head)) return 'warn'
  return 'debug'
}

// oxlint-disable-next-line no-control-regex -- they are what must go
const control = /[\u0000-\u001f\u007f-\u009f]/
// oxlint-disable-next-line no-control-regex -- they are what must go
const controls = /[\u0000-\u001f\u007f-\u009f]+/g
// oxlint-disable-next-line no-control-regex -- they are what must go
const colours = /\u001b\[[0-9;]*[A-Za-z]/g

/** One line, without colours and control characters, of bounded length. */
function tidy(text: string): string {
  let line = text.slice(0, readLength).trimEnd()
  if (control.test(line)) {
    const parts = line.replace(colours, '').split('\n')
    line = parts
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .join(' / ')
      .replace(controls, ' ')
  }
  return line.length > maxTextLength ? `${line.slice(0, maxTextLength)}…` : line
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
