/** `oss20bd start`: the daemon in the background, the engine ready. */
import type { Status } from '../../daemon/control-protocol.ts'
import type { Context } from '../command.ts'
import { defineCommand, print } from '../command.ts'
import { withProgress } from '../progress.ts'
import { modelText } from '../render.ts'
import { awaitEngine, wantEngine } from '../run-engine.ts'

export const command = defineCommand({
  options: {
    wait: {
      type: 'boolean',
      default: true,
      describe: 'Wait until the model answers; --no-wait returns at once',
    },
  },
  async run(args, context) {
    const wanted = await wantEngine(context, () => false)
    if (!args.wait || wanted.status.engine.state === 'ready') {
      report(context, wanted.status)
      return 0
    }
    const title = 'Starting the engine'
    const status = await withProgress({ title, stream: context.stderr }, async (progress) => ({
      result: await awaitEngine(context, wanted, progress),
    }))
    report(context, status)
    return 0
  },
})

/** Says where the model can be asked now, or that it is on its way. */
export function report(context: Context, status: Status): void {
  if (context.json) return print(context, JSON.stringify(status, undefined, 2))
  const ready = status.engine.state === 'ready'
  print(context, ready ? `Ready: ${status.proxy.url}/v1` : `Starting: ${status.proxy.url}/v1`)
  print(context, `Model: ${ready ? modelText(status.model) : 'see oss20bd status'}`)
}
