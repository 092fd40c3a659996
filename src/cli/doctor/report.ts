/** A file to send with a question: what the doctor found and what happened, without what was asked, answered, or who asked. */
import { writeFile } from 'node:fs/promises'
import { homedir, hostname, userInfo } from 'node:os'
import { fileError } from '../../errors.ts'
import { lastEvents } from '../../journal-files.ts'
import type { Context } from '../command.ts'
import { ownVersion } from '../context.ts'
import { askIfRunning } from '../control-client.ts'
import { formatLogEntry } from '../log-entry.ts'
import { openLogSources } from '../log-sources.ts'
import { lastEntries } from '../log-tail.ts'
import { NO_PAINT } from '../paint.ts'
import { readSettled } from '../settings.ts'

const eventCount = 300
const lineCount = 1000

/** Logs, journal and status hold neither prompts nor answers nor tokens; names of persons are taken out here. */
export async function writeReport(file: string, found: object, context: Context): Promise<void> {
  const [status, events, log, { values }] = await Promise.all([
    askIfRunning(context.paths.controlSocket).catch(() => null),
    lastEvents(context.paths.logs, eventCount).catch(() => []),
    lastLines(context),
    readSettled(context),
  ])
  const { platform, arch, version: node } = process
  const about = { oss20bd: ownVersion(), node, platform, arch, at: new Date().toISOString() }
  const report = { about, doctor: found, status, config: values, events, log }
  const text = withoutNames(JSON.stringify(report, undefined, 2), {
    home: homedir(),
    user: userInfo().username,
    host: hostname(),
  })
  try {
    await writeFile(file, `${text}\n`, { mode: 0o600 })
  } catch (error) {
    throw fileError('write the report', file, error)
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

export interface Names {
  readonly home: string
  readonly user: string
  readonly host: string
}

/** The home as `~`, the user as `USER`, the machine as `HOST`. A name of one or two letters would be found everywhere. Pure. */
export function withoutNames(text: string, { home, user, host }: Names): string {
  const short = host.split('.')[0] ?? host
  const names: readonly (readonly [string, string])[] = [
    [home, '~'],
    [host, 'HOST'],
    [short, 'HOST'],
    [user, 'USER'],
  ]
  return names
    .filter(([name]) => name.length > 2 && name !== '/root')
    .reduce((kept, [name, stand]) => kept.replaceAll(name, stand), text)
}
