/** `oss20bd why`: the story of the present state or of the last stop, also when no daemon runs. */
import { Oss20bdError } from '../../errors.ts'
import { lastEvents, readPast } from '../../journal-files.ts'
import { defineCommand, print } from '../command.ts'
import { askIfRunning } from '../control-client.ts'
import { tellWhy, type Asked } from '../journal-story.ts'
import { paintFor } from '../paint.ts'
import { renderStory } from '../render-story.ts'

/** More than any one story has. */
const MAX_EVENTS = 500

export const command = defineCommand({
  options: {
    all: { type: 'boolean', default: false, describe: 'Show every event and line of evidence' },
  },
  async run(args, context) {
    const asked = await ask(context.paths.controlSocket)
    const events = await lastEvents(context.paths.logs, MAX_EVENTS)
    const past = asked === null ? await readPast(context.paths.logs) : null
    const nowMs = Date.now()
    const told = tellWhy(asked, events, nowMs, past?.lastAliveMs ?? null)
    if (context.json) {
      print(context, JSON.stringify(told, undefined, 2))
    } else {
      const paint = await paintFor(context.stdout, context.env)
      for (const line of renderStory(told, paint, nowMs, args.all)) print(context, line)
    }
    return 0
  },
})

/** A daemon that hangs is when somebody asks why: no reason to tell nothing. */
async function ask(socketPath: string): Promise<Asked> {
  try {
    return await askIfRunning(socketPath)
  } catch (error) {
    if (error instanceof Oss20bdError && error.code === 'timeout') return 'silent'
    throw error
  }
}
