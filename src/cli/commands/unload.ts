/** `oss20bd unload`: gives the memory back now; the next request loads the model again. */
import type { Status } from '../../daemon/control-protocol.ts'
import { Oss20bdError } from '../../errors.ts'
import { defineCommand, print } from '../command.ts'
import { askDaemon, watchDaemon } from '../control-client.ts'
import { withProgress } from '../progress.ts'
import { waitingText } from '../render.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    const socket = context.paths.controlSocket
    const asked: Status = await askDaemon(socket, 'POST', '/unload')
    const title = 'Unloading the model'
    const status = await withProgress({ title, stream: context.stderr }, async (progress) => {
      for await (const now of watchDaemon(socket, AbortSignal.timeout(LIMIT_MS))) {
        if (now.engine.state !== 'stopping') return { result: now }
        progress.update(null, waitingText(now))
      }
      return { result: asked }
    })
    if (context.json) print(context, JSON.stringify(status, undefined, 2))
    else print(context, outcome(status))
    return 0
  },
})

/** Open requests finish first; then the engine has its graces. */
const LIMIT_MS = 120_000

function outcome({ engine, wanted }: Status): string {
  if (engine.state === 'asleep') {
    const after = engine.hint === null ? 'the next request loads the model again' : engine.detail
    return `Unloaded: its memory is free; ${after}`
  }
  if (engine.state === 'down') return 'Not loaded: the engine was stopped (oss20bd start)'
  if (wanted === 'up' && engine.state === 'starting') {
    return 'Unloaded, and loading again already: a request came'
  }
  throw new Oss20bdError('engine-failed', `Cannot unload: the engine is ${engine.state}`, {
    hint: 'See why: oss20bd why',
  })
}
