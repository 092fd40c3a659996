/** `oss20bd status`: one screen about the engine, the model and the port. */
import { defineCommand, print } from '../command.ts'
import { askDaemon } from '../control-client.ts'
import { paintFor } from '../paint.ts'
import { renderStatus } from '../render.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    const status = await askDaemon(context.paths.controlSocket, 'GET', '/status')
    if (context.json) {
      print(context, JSON.stringify(status, undefined, 2))
    } else {
      const paint = await paintFor(context.stdout, context.env)
      for (const line of renderStatus(status, paint, Date.now())) print(context, line)
    }
    return status.engine.state === 'ready' ? 0 : 4
  },
})
