/** `oss20bd load`: loads a model that is unloaded, without waiting for a request. */
import { Oss20bdError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import { askDaemon } from '../control-client.ts'
import { withProgress } from '../progress.ts'
import { awaitEngine } from '../run-engine.ts'
import { report } from './start.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    const asked = await askDaemon(context.paths.controlSocket, 'POST', '/load')
    if (asked.wanted === 'down') {
      throw new Oss20bdError('engine-failed', 'Cannot load the model: the engine was stopped', {
        hint: 'Start it: oss20bd start',
      })
    }
    const title = 'Loading the model'
    const status = await withProgress({ title, stream: context.stderr }, async (progress) => ({
      result: await awaitEngine(context, { status: asked, notPid: null }, progress),
    }))
    report(context, status)
    return 0
  },
})
