/** Which logs there are on this machine. */
import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { PRINTED } from '../log-files.ts'
import { shimFile } from '../service/installed-program.ts'
import { systemd } from '../service/systemd.ts'
import { unitRuns } from '../service/systemd-unit.ts'
import { UNIT } from '../service/unit-file.ts'
import { type Context, say } from './command.ts'
import { openJournaldSource } from './log-journald.ts'
import { type LogSource, openFileSource } from './log-source.ts'

export const LOG_KINDS = ['daemon', 'engine', 'service'] as const

/** `service`: what Node, the shim and the service manager themselves said. */
export type LogKind = (typeof LOG_KINDS)[number]

/** The caller closes or follows each. `count`: how many lines from the end may be wanted. */
export async function openLogSources(
  kinds: readonly LogKind[],
  context: Context,
  count: number,
): Promise<readonly LogSource[]> {
  const files = kinds.flatMap((kind) => (kind === 'service' ? Object.values(PRINTED) : [kind]))
  const sources = await Promise.all(files.map((name) => openFileSource(context.paths.logs, name)))
  const unitArg = kinds.includes('service') ? await findUnit(context) : null
  if (unitArg === null) return sources
  const onTrouble = (reason: string): void =>
    say(context, `What systemd keeps of the service cannot be shown: ${reason}`)
  return [...sources, openJournaldSource({ unitArg, env: context.env, count, onTrouble })]
}

/** How journalctl is asked for the service of this home; null when systemd has none. */
async function findUnit({ paths }: Context): Promise<string | null> {
  if (process.platform !== 'linux') return null
  const { username: name, uid } = userInfo()
  const user = { name, uid, home: homedir() }
  for (const scope of ['user', 'system'] as const) {
    const text = await readFile(systemd.unitFile({ scope, user }), 'utf8').catch(() => '')
    if (!unitRuns(text, shimFile({ folders: paths }))) continue
    return scope === 'user' ? `--user-unit=${UNIT}` : `--unit=${UNIT}`
  }
  return null
}
