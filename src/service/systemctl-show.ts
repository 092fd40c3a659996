/** What `systemctl show` says of the unit. Pure. */

/** What is asked for; see org.freedesktop.systemd1(5). */
const PROPERTIES = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'MainPID',
  'ExecMainCode',
  'ExecMainStatus',
  'FragmentPath',
  'UnitFileState',
  'NeedDaemonReload',
  'NRestarts',
  'StatusText',
] as const

export const SHOW_ARGS: readonly string[] = PROPERTIES.map((name) => `--property=${name}`)

/** null = not said. */
export interface ShownUnit {
  /** `loaded`, `not-found`, `masked`, `bad-setting`. */
  readonly loadState: string | null
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`. */
  readonly activeState: string | null
  /** `running`, `auto-restart`, `stop-sigterm` and many more. */
  readonly subState: string | null
  /** `success`, `exit-code`, `signal`, `watchdog`, `timeout`, `oom-kill`: how the last run ended. */
  readonly result: string | null
  readonly pid: number | null
  /** `status 1` or `signal 9`: how the main process ended; null while there has been none. */
  readonly lastExit: string | null
  readonly unitFile: string | null
  /** `enabled`, `disabled`, `linked`. */
  readonly unitFileState: string | null
  readonly needsReload: boolean
  readonly restarts: number | null
  /** What the daemon last told of itself. */
  readonly statusText: string | null
}

export function parseShow(stdout: string): ShownUnit {
  const said = new Map(stdout.split('\n').flatMap(splitLine))
  const text = (name: (typeof PROPERTIES)[number]): string | null => said.get(name) ?? null
  const count = (name: (typeof PROPERTIES)[number]): number | null => {
    const value = said.get(name)
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : null
  }
  const pid = count('MainPID')
  return {
    loadState: text('LoadState'),
    activeState: text('ActiveState'),
    subState: text('SubState'),
    result: text('Result'),
    pid: pid === 0 ? null : pid,
    lastExit: exitText(count('ExecMainCode'), count('ExecMainStatus')),
    unitFile: text('FragmentPath'),
    unitFileState: text('UnitFileState'),
    needsReload: text('NeedDaemonReload') === 'yes',
    restarts: count('NRestarts'),
    statusText: text('StatusText'),
  }
}

function splitLine(line: string): readonly (readonly [string, string])[] {
  const at = line.indexOf('=')
  const value = line.slice(at + 1)
  return at < 1 || value === '' ? [] : [[line.slice(0, at), value]]
}

/** `ExecMainCode` as waitid(2) counts: 1 exited, 2 killed, 3 dumped a core. */
function exitText(code: number | null, status: number | null): string | null {
  if (status === null) return null
  if (code === 1) return `status ${status}`
  return code === 2 || code === 3 ? `signal ${status}` : null
}
