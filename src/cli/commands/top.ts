/** `oss20bd top`: everything live on the whole terminal, with keys. */
import { Oss20bdError } from '../../errors.ts'
import { defineCommand } from '../command.ts'
import { askDaemon } from '../control-client.ts'
import { paintFor } from '../paint.ts'
import { glyphsFor } from '../status/bar.ts'
import { onScreen } from '../top/screen.ts'
import { TopView } from '../top/top-view.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    if (context.json || context.stdout.isTTY !== true || !process.stdin.isTTY) {
      throw new Oss20bdError('usage', 'Cannot show the live view: it needs a terminal', {
        hint: 'For a program: oss20bd status --watch --json',
      })
    }
    // One that does not run at all is said at once; one that ends later is waited for.
    await askDaemon(context.paths.controlSocket, 'GET', '/status')
    const view = new TopView({
      socketPath: context.paths.controlSocket,
      logs: context.paths.logs,
      paint: await paintFor(context.stdout, context.env),
      glyphs: glyphsFor(context.env),
    })
    await onScreen(process, view, (screen) => view.run(screen))
    return 0
  },
})
