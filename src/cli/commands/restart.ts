/** `oss20bd restart`: a new engine process; the port stays and holds what is asked meanwhile. */
import { defineCommand } from '../command.ts'
import { withProgress } from '../progress.ts'
import { awaitEngine, wantEngine } from '../run-engine.ts'
import { report } from './start.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    const title = 'Restarting the engine'
    const status = await withProgress({ title, stream: context.stderr }, async (progress) => {
      const wanted = await wantEngine(context, () => true)
      return { result: await awaitEngine(context, wanted, progress) }
    })
    report(context, status)
    return 0
  },
})
