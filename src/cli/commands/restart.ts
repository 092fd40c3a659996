/** `oss20bd restart`: a new engine process; the port stays and holds what is asked meanwhile. */
import { defineCommand } from '../command.ts'
import { restartService } from '../daemon-by-service.ts'
import { withProgress } from '../progress.ts'
import { awaitEngine, wantEngine } from '../run-engine.ts'
import { report } from './start.ts'

export const command = defineCommand({
  options: {
    daemon: {
      type: 'boolean',
      default: false,
      describe: 'The daemon too: its service is ended and loaded again',
    },
  },
  async run(args, context) {
    if (args.daemon) await restartService(context)
    const title = 'Restarting the engine'
    const status = await withProgress({ title, stream: context.stderr }, async (progress) => {
      const wanted = await wantEngine(context, () => !args.daemon)
      return { result: await awaitEngine(context, wanted, progress) }
    })
    report(context, status)
    return 0
  },
})
