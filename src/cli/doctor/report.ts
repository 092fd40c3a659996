/** A file to send with a question: what the doctor found and what happened, without what was asked, answered, or who asked. */
import { readdir, writeFile } from 'node:fs/promises'
import { homedir, hostname, userInfo } from 'node:os'
import { join, parse } from 'node:path'
import { fileError, messageOf } from '../../errors.ts'
import { lastEvents } from '../../journal-files.ts'
import { TOKENS } from '../../token-files.ts'
import type { Context } from '../command.ts'
import { ownVersion } from '../context.ts'
import { askIfRunning } from '../control-client.ts'
import { formatLogEntry } from '../log-entry.ts'
import { openLogSources } from '../log-sources.ts'
import { lastEntries } from '../log-tail.ts'
import { NO_PAINT } from '../paint.ts'
import { readSettled } from '../settings.ts'
import { type Private, redact, secretsOf } from './redact.ts'

const eventCount = 300
const lineCount = 1000

/** Logs, journal and status hold neither prompts nor answers; names, tokens and what looks like them are taken out here. */
export async function writeReport(file: string, found: object, context: Context): Promise<void> {
  const [status, events, log, config, hidden] = await Promise.all([
    askIfRunning(context.paths.controlSocket).catch(because),
    lastEvents(context.paths.logs, eventCount).catch(because),
    lastLines(context).catch(because),
    readSettled(context).then(({ values }) => values, because),
    privateHere(context),
  ])
  const { platform, arch, version: node } = process
  const about = { oss20bd: ownVersion(), node, platform, arch, at: new Date().toISOString() }
  const report = { about, doctor: found, status, config, events, log }
  const text = redact(JSON.stringify(report, undefined, 2), hidden)
  try {
    await writeFile(file, `${text}\n`, { mode: 0o600 })
  } catch (error) {
    throw fileError('write the report', file, error)
  }
}

/** In place of what cannot be read: that is worth knowing too. */
function because(error: unknown): { readonly missing: string } {
  return { missing: messageOf(error) }
}

async function privateHere({ env, paths }: Context): Promise<Private> {
  const names = await readdir(join(paths.home, TOKENS)).catch(() => [])
  const users = [userInfo().username, env['USER'], env['LOGNAME'], env['SUDO_USER']]
  return {
    home: homedir(),
    users: users.filter((name) => name !== undefined),
    host: hostname(),
    clients: names.map((name) => parse(name).name),
    secrets: secretsOf(env),
  }
}

async function lastLines(context: Context): Promise<readonly string[]> {
  const sources = await openLogSources(['daemon', 'engine', 'service'], context, lineCount)
  try {
    const entries = await lastEntries(sources, lineCount)
    return entries.map((entry) => formatLogEntry(entry, NO_PAINT))
  } finally {
    await Promise.all(sources.map((source) => source.close()))
  }
}
