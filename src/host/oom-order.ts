/** Which of our processes the kernel ends when memory runs out: the engine, which comes back, not the port. */
import { writeFile } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'

/** 0 to 1000; a browser gives its pages 300. The engine is the largest process and the easiest to start again. */
const ENGINE_ADJUSTMENT = 500

export interface OomOrderOptions {
  readonly platform: NodeJS.Platform
  readonly log: Pick<Logger, 'debug'>
  /** `/proc`. */
  readonly procFolder?: string
}

/** Everybody may raise it for their own processes. Does nothing where the system has no such choice. Never rejects. */
export async function offerToOomKiller(
  pid: number,
  { platform, log, procFolder = '/proc' }: OomOrderOptions,
): Promise<void> {
  if (platform !== 'linux') return
  try {
    await writeFile(`${procFolder}/${pid}/oom_score_adj`, String(ENGINE_ADJUSTMENT))
  } catch (error) {
    // It has ended already, or the kernel is built without it.
    log.debug('Cannot put the engine first for the OOM killer', { pid, reason: messageOf(error) })
  }
}

/** Offers each engine once, from the first change that shows it, until `signal` aborts. Never rejects. */
export async function offerEngines(
  supervisor: {
    view(): { readonly enginePid: number | null }
    changed(signal: AbortSignal): Promise<unknown>
  },
  options: OomOrderOptions,
  signal: AbortSignal,
): Promise<void> {
  let offered: number | null = null
  while (!signal.aborted) {
    const { enginePid } = supervisor.view()
    if (enginePid !== null && enginePid !== offered) await offerToOomKiller(enginePid, options)
    offered = enginePid
    await supervisor.changed(signal).catch(() => undefined)
  }
}
