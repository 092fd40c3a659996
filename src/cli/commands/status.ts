/** `oss20bd status`: one screen about the engine, the model, memory and the port; with `--watch` live. */
import type { Status } from '../../daemon/control-protocol.ts'
import { Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { defineCommand, print } from '../command.ts'
import { askDaemon } from '../control-client.ts'
import { type InstalledService, readInstalledService, serviceLine } from '../service-line.ts'

export const command = defineCommand({
  options: {
    watch: { alias: 'w', type: 'boolean', default: false, describe: 'Show it live, until Ctrl-C' },
  },
  async run(args, context) {
    const installed = readInstalledService(context)
    // What shows it is loaded while the daemon thinks: scripts and prompts ask for the status all the time.
    const [service, status, { screenOf }] = await Promise.all([
      installed,
      ask(context, installed),
      import('../status/screen-of.ts'),
    ])
    if (args.watch) {
      const { watchStatus } = await import('../status/watch-status.ts')
      await watchStatus(context, status, service)
      return 0
    }
    if (context.json) print(context, JSON.stringify({ ...status, service }, undefined, 2))
    else {
      const columns = context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
      for (const line of await screenOf(context, status, service, columns)) print(context, line)
    }
    return status.engine.state === 'ready' ? 0 : 4
  },
})

/** A service that should keep it running and does not is the news. */
async function ask(context: Context, installed: Promise<InstalledService | null>): Promise<Status> {
  try {
    return await askDaemon(context.paths.controlSocket, 'GET', '/status')
  } catch (error) {
    const isGone = error instanceof Oss20bdError && error.code === 'daemon-not-running'
    const service = await installed
    if (!isGone || service === null) throw error
    const message = `${error.message} (service: ${serviceLine(service, null)})`
    throw new Oss20bdError(error.code, message, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
  }
}
