/** `oss20bd cancel ID`: ends one open request; its app is told. */
import { Oss20bdError } from '../../errors.ts'
import { defineCommand, print, say } from '../command.ts'
import { askDaemonFor } from '../control-client.ts'
import { field } from '../json.ts'

export const command = defineCommand({
  options: { ID: { type: 'string', hidden: true, describe: 'Which request' } },
  async run(args, context) {
    const id = args.ID ?? ''
    if (id === '') throw needsId()
    const { cancelled } = await askDaemonFor(isAnswer, context.paths.controlSocket, {
      method: 'POST',
      path: `/cancel?id=${encodeURIComponent(id)}`,
    })
    if (context.json) print(context, JSON.stringify({ id, cancelled }, undefined, 2))
    else if (cancelled) print(context, `Cancelled: ${id}`)
    else {
      say(context, `oss20bd: Cannot cancel ${id}: no open request has this id`)
      say(context, '  It may be over already. See what is open: oss20bd requests')
    }
    return cancelled ? 0 : 1
  },
})

function isAnswer(value: unknown): value is { readonly cancelled: boolean } {
  return typeof field(value, 'cancelled') === 'boolean'
}

function needsId(): Oss20bdError {
  return new Oss20bdError('usage', 'Cannot cancel: it must be said which request', {
    hint: 'See the ids with: oss20bd requests, then for example: oss20bd cancel r1a2',
  })
}
