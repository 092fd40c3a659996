/** Reads what `launchctl print` shows of a service. Pure. Apple calls the text no interface, so nothing of it is relied on to be there. */

export interface PrintedService {
  /** `running`, `not running`, `spawn scheduled`, `xpcproxy`, `SIGTERMed`, `waiting`. */
  readonly state: string | null
  /** Running is: has a pid. */
  readonly pid: number | null
  /** The plist it was bootstrapped from. */
  readonly path: string | null
  readonly program: string | null
  readonly runs: number | null
  /** Of the previous run, also while it runs: `1`, `78: EX_CONFIG`, `Killed: 9`, `OS_REASON_CODESIGNING`. null: never exited. */
  readonly lastExit: string | null
  readonly exitTimeoutSeconds: number | null
  readonly minimumRuntimeSeconds: number | null
  /** `interactive (4)`, `daemon (3)`, `background (5)`. */
  readonly spawnType: string | null
  readonly successiveCrashes: number | null
  /** `keepalive`, `runatload`, `penalty box`. */
  readonly properties: readonly string[]
  readonly arguments: readonly string[]
  readonly environment: ReadonlyMap<string, string>
}

/** Also of a text that is cut or has lost its indentation. */
export function parsePrint(text: string): PrintedService {
  const { values, blocks } = readBlocks(text)
  const of = (key: string): string | null => values.get(key) ?? null
  const count = (key: string): number | null => numberOf(of(key))
  return {
    state: of('state'),
    pid: count('pid'),
    path: of('path'),
    program: of('program'),
    runs: count('runs'),
    lastExit: lastExitOf(of),
    exitTimeoutSeconds: count('exit timeout'),
    minimumRuntimeSeconds: count('minimum runtime'),
    spawnType: of('spawn type'),
    successiveCrashes: count('successive crashes'),
    properties: (of('properties') ?? '').split('|').flatMap((name) => name.trim() || []),
    arguments: (blocks.get('arguments') ?? []).map((line) => line.trim()),
    environment: new Map((blocks.get('environment') ?? []).flatMap(assignment)),
  }
}

/** The kinds exclude each other. */
function lastExitOf(of: (key: string) => string | null): string | null {
  const code = of('last exit code')
  const said = of('last terminating signal') ?? of('last exit reason') ?? code
  return said === '(never exited)' ? null : said
}

interface Blocks {
  /** The keys of the service itself; blocks within have keys of the same names. */
  readonly values: ReadonlyMap<string, string>
  /** The lines of each block directly within. */
  readonly blocks: ReadonlyMap<string, readonly string[]>
}

function readBlocks(text: string): Blocks {
  const values = new Map<string, string>()
  const blocks = new Map<string, string[]>()
  const open: string[] = []
  for (const line of text.split('\n')) {
    const opened = /^\s*(\S.*?) =>? \{$/.exec(line)?.[1]
    if (opened !== undefined) {
      // The first line names the service: what follows is its own.
      if (open.length > 0 || !opened.includes('/')) open.push(opened)
      continue
    }
    if (/^\s*\}$/.test(line)) {
      open.pop()
      continue
    }
    const [block] = open
    if (block !== undefined) {
      if (open.length === 1) blocks.set(block, [...(blocks.get(block) ?? []), line])
      continue
    }
    const [, key = '', value = ''] = /^\s*([a-z][a-z ()]*?) = (.*?)\s*(?:#.*)?$/.exec(line) ?? []
    // In a text without its braces the service's own key comes first.
    if (key !== '' && !values.has(key)) values.set(key, value)
  }
  return { values, blocks }
}

function assignment(line: string): readonly (readonly [string, string])[] {
  const [, name, value] = /^\s*(\S+) => (.*)$/.exec(line) ?? []
  return name === undefined || value === undefined ? [] : [[name, value]]
}

function numberOf(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null
}

/** Whether the label may be loaded, in what `launchctl print-disabled` shows; a label that is not named may. */
export function isDisabled(text: string, label: string): boolean {
  const line = text.split('\n').find((one) => one.trim().startsWith(`"${label}" =>`))
  return line !== undefined && /=> (?:disabled|true)\s*$/.test(line)
}

/** A row of the table of `launchctl list`. */
export interface ListedService {
  readonly pid: number | null
  readonly label: string
}

export function parseList(text: string): readonly ListedService[] {
  return text.split('\n').flatMap((line) => {
    const [, pid = '', label] = /^(-|\d+)\t-?\d+\t(\S.*)$/.exec(line) ?? []
    return label === undefined ? [] : [{ pid: numberOf(pid), label }]
  })
}

/** Whether the whole domain starts nothing by itself, in what `launchctl print DOMAIN` shows; null when that does not tell. */
export function isOnDemandOnly(text: string): boolean | null {
  const count = /^\s*on-demand count = (\d+)\s*$/m.exec(text)?.[1]
  return count === undefined ? null : Number(count) > 0
}
