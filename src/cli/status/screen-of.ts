/** The screen of a Status for this terminal, file or pipe. */
import type { Status } from '../../daemon/control-protocol.ts'
import { Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { field, isRecord } from '../json.ts'
import { paintFor } from '../paint.ts'
import { type InstalledService, serviceLine } from '../service-line.ts'
import { glyphsFor } from './bar.ts'
import { renderStatus, textsOf } from './render-status.ts'
import { widthFor } from './width.ts'

/** `columns`: Infinity where there is no edge; then there is no bar either. */
export async function screenOf(
  { stdout, env }: Context,
  status: Status,
  service: InstalledService | null,
  columns: number,
): Promise<readonly string[]> {
  if (!isOfThisVersion(status)) {
    throw new Oss20bdError(
      'engine-failed',
      `Cannot show the status: the daemon is of another version (${status.daemon.version})`,
      { hint: 'Start it anew: oss20bd stop, then oss20bd start' },
    )
  }
  return renderStatus(status, {
    paint: await paintFor(stdout, env),
    width: columns,
    glyphs: columns === Infinity ? null : glyphsFor(env),
    text: await widthFor(textsOf(status)),
    service: service === null ? null : serviceLine(service, status.daemon.version),
    nowMs: Date.now(),
  })
}

/** What a daemon before an upgrade does not tell yet. */
function isOfThisVersion(status: unknown): boolean {
  return isRecord(field(status, 'gpu')) && isRecord(field(status, 'proxy', 'today'))
}
