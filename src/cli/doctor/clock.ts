/** The doctor's look at the clock: with a wrong date no certificate is valid, so that nothing can be downloaded. */
import { dirname, join } from 'node:path'
import { realpath } from 'node:fs/promises'
import { systemClock } from '../../clock.ts'
import { errnoOf } from '../../errors.ts'
import { type Judge, judgeAll } from '../../finding.ts'
import { lastEvents } from '../../journal-files.ts'
import { hubEndpoint } from '../../model/catalog.ts'
import type { Network } from '../../model/download/network.ts'
import { checkModelFile } from '../../model/model-file.ts'
import { formatDuration } from '../../units.ts'
import type { Context } from '../command.ts'
import { isRecord, parseJson } from '../json.ts'
import type { DoctorPart, Examined } from './part.ts'
import { engineFileOf, modelFileOf, type Visit } from './visit.ts'

export interface ClockFacts {
  readonly platform: NodeJS.Platform
  readonly nowMs: number
  /** It cannot be earlier than this. */
  readonly atLeast: { readonly atMs: number; readonly because: string }
  readonly hub: HubTime
}

type HubTime =
  | { readonly kind: 'told'; readonly atMs: number; readonly host: string }
  /** Its certificate is not valid yet, or not any more: by our clock. */
  | { readonly kind: 'bad-certificate'; readonly code: string; readonly host: string }
  | { readonly kind: 'not-told' }

/** This version was written in that year. */
const WRITTEN = { atMs: Date.UTC(2026, 0, 1), because: 'this version of oss20bd is of 2026' }
/** Certificates are valid for weeks at least, but the first hours of one are the last of another. */
const TOLERATED_MS = 24 * 3_600_000
const HUB_DEADLINE_MS = 5000

export const clockPart: DoctorPart = {
  name: 'clock',
  examine: async (context, visit) => {
    const [atLeast, hub] = await Promise.all([earliest(context, visit), askHub(context, visit)])
    return examineClock({ platform: visit.platform, nowMs: systemClock.nowMs(), atLeast, hub })
  },
}

/** The latest of what was written down here with a date. */
async function earliest(context: Context, visit: Visit): Promise<ClockFacts['atLeast']> {
  const [event] = await lastEvents(context.paths.logs, 1).catch(() => [])
  const known = [
    WRITTEN,
    { atMs: Date.parse(event?.at ?? ''), because: 'the daemon wrote its journal then' },
    { atMs: await builtAtMs(context, visit), because: 'the engine was built then' },
  ]
  return known.reduce((latest, each) => (each.atMs > latest.atMs ? each : latest))
}

async function builtAtMs(context: Context, { config, readText }: Visit): Promise<number> {
  const file = await config()
    .then((settled) => realpath(engineFileOf(context, settled)))
    .catch(() => '')
  const manifest = join(dirname(dirname(file)), 'manifest.json')
  const read = parseJson(await readText(manifest).catch(() => ''))
  return isRecord(read) ? Date.parse(String(read['builtAt'])) : NaN
}

/** Nobody is asked as long as there is nothing to download. Never rejects, and never takes long. */
async function askHub(context: Context, visit: Visit): Promise<HubTime> {
  const model = await visit.config().then(
    (config) => checkModelFile(modelFileOf(context, config)),
    () => null,
  )
  if (model === null || (model.kind === 'ok' && !model.testModel)) return { kind: 'not-told' }
  const url = hubUrl(context)
  return url === null ? { kind: 'not-told' } : askTime(url, await loadNetwork(url))
}

/** Large, and wanted only here. Not together with `using`, in whose functions tsc leaves the ending `.ts` in an import. */
async function loadNetwork({ origin }: URL): Promise<Network> {
  const { Network } = await import('../../model/download/network.ts')
  // Without the token: nobody needs it to tell the time.
  const access = { token: null, tokenOrigin: origin }
  return new Network({ ...access, stallMs: HUB_DEADLINE_MS, clock: systemClock })
}

async function askTime(url: URL, opened: Network): Promise<HubTime> {
  using network = opened
  const { host } = url
  try {
    const answer = await network.open(url, { signal: AbortSignal.timeout(HUB_DEADLINE_MS) })
    answer.close()
    const atMs = Date.parse(answer.headers.date ?? '')
    return Number.isNaN(atMs) ? { kind: 'not-told' } : { kind: 'told', atMs, host }
  } catch (error) {
    const code = certificateCode(error)
    return code === null ? { kind: 'not-told' } : { kind: 'bad-certificate', code, host }
  }
}

/** null when HF_ENDPOINT is no address: a pull says so. */
function hubUrl({ env }: Context): URL | null {
  try {
    return new URL(hubEndpoint(env['HF_ENDPOINT']))
  } catch {
    return null
  }
}

const CLOCK_CODES = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])

/** Of the error, or of what caused it. */
function certificateCode(error: unknown): string | null {
  const code = errnoOf(error)
  if (code !== undefined && CLOCK_CODES.has(code)) return code
  return error instanceof Error && error.cause !== undefined ? certificateCode(error.cause) : null
}

/** Pure. */
export function examineClock(facts: ClockFacts): Examined {
  const { nowMs, hub } = facts
  const how = hub.kind === 'told' ? `by ${hub.host}` : 'plausible'
  return {
    state: `${new Date(nowMs).toISOString().slice(0, 16).replace('T', ' ')} UTC, ${how}`,
    findings: judgeAll([wrongClock], facts),
  }
}

const wrongClock: Judge<ClockFacts> = (facts) => {
  const why = whyWrong(facts)
  if (why === null) return null
  return {
    id: 'clock-wrong',
    what: 'The clock is wrong: downloads fail, for no certificate seems valid',
    why,
    mend:
      facts.platform === 'darwin'
        ? 'sudo sntp -sS time.apple.com'
        : 'sudo timedatectl set-ntp true',
  }
}

function whyWrong({ nowMs, atLeast, hub }: ClockFacts): string | null {
  if (nowMs < atLeast.atMs - TOLERATED_MS) {
    return `it says ${day(nowMs)}; it is ${day(atLeast.atMs)} or later: ${atLeast.because}`
  }
  if (hub.kind === 'bad-certificate') {
    return `it says ${day(nowMs)}, when the certificate of ${hub.host} is not valid (${hub.code})`
  }
  if (hub.kind === 'not-told' || Math.abs(nowMs - hub.atMs) <= TOLERATED_MS) return null
  const apart = formatDuration(Math.abs(nowMs - hub.atMs))
  return `it says ${day(nowMs)}; ${hub.host} says ${day(hub.atMs)}, ${apart} ${nowMs < hub.atMs ? 'later' : 'earlier'}`
}

function day(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}
