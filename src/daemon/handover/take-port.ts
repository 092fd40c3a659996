/** Takes the public port from the keeper that an ending daemon left it with. */
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Clock } from '../../clock.ts'
import { FREE, LISTENING, reachKeeper, TAKE } from '../../port-keeper.ts'

/** How long the port may be somebody's still after the keeper has said that it lets go of it. */
const FREE_WITHIN_MS = 2000
/** It waits for a quiet moment, half a second at most. */
const ANSWER_LIMIT_MS = 5000

type Listen = (isComing?: () => boolean) => Promise<{ readonly url: string }>

/** Listens, after asking a keeper for the port if there is one; what that holds then comes here. */
export async function listenAfterKeeper(
  socketPath: string,
  listen: Listen,
  clock: Pick<Clock, 'monotonicMs'>,
): Promise<{ readonly url: string }> {
  const keeper = await reachKeeper(socketPath)
  if (keeper === null) return listen()
  try {
    keeper.write(`${TAKE}\n`)
    await untilFree(keeper)
    const untilMs = clock.monotonicMs() + FREE_WITHIN_MS
    const { url } = await listen(() => clock.monotonicMs() < untilMs)
    const { hostname, port } = new URL(url)
    keeper.write(`${LISTENING} ${hostname.replace(/^\[(.*)\]$/, '$1')} ${port}\n`)
    return { url }
  } finally {
    keeper.destroySoon()
  }
}

/** One that does not say so has gone, or has stopped: listening tells. */
async function untilFree(keeper: Socket): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS)
  const lines = createInterface({ input: keeper, signal })
  for await (const line of lines) if (line === FREE) return
}
