/** One line of llama-server's output to what it says, safe to log. Pure; never throws. */
import type { EngineFact, EngineLine, LogLevel } from '../engine.ts'
import { notLogged, redactMessage, redactRawLine } from './redact.ts'

const maxTextLength = 2000
const statePrefix = 'cmd_child_to_router:state:'
/** `0.00.011.305 I srv  llama_server: ...` */
const textLog = /^\d+\.\d\d\.\d{3}\.\d{3} ([A-Z]) (.*)$/s

/**
 * Reads JSON log lines and child protocol lines (stdout), text log lines and raw text such as an
 * abort (stderr). Anything else is a debug line that says how long it was.
 */
export function readLine(line: string): EngineLine {
  const clean = line.trimEnd()
  if (clean.startsWith(statePrefix)) return readState(clean.slice(statePrefix.length))
  if (clean.startsWith('{"')) return readJson(clean)
  const text = textLog.exec(clean)
  if (text !== null) return logLine(letterLevel(text[1]), text[2] ?? '')
  return { level: rawLevel(clean), text: tidy(clean === '' ? '' : redactRawLine(clean)), facts: [] }
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
  return logLine(wordLevel(match[1]), (match[2] ?? '').replaceAll('\\n', '\n'))
}

function logLine(level: LogLevel, message: string): EngineLine {
  // Whole requests and answers are printed at debug.
  const text = level === 'debug' ? notLogged(message.length) : tidy(redactMessage(message))
  return { level, text, facts: [] }
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
  if (/\berror\b|GGML_ASSERT|terminate called|what\(\)|Library not loaded/i.test(line))
    return 'error'
  if (/^warn/i.test(line)) return 'warn'
  return 'debug'
}

/** One line, without colours and control characters, of bounded length. */
function tidy(text: string): string {
  const line = text
    .trimEnd()
    .slice(0, maxTextLength * 2)
    // oxlint-disable-next-line no-control-regex -- they are what must go
    .replace(/\u001b\[[0-9;]*[A-Za-z]/g, '')
    .replace(/\s*\n\s*/g, ' / ')
    // oxlint-disable-next-line no-control-regex -- they are what must go
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
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
