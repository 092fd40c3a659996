/** `oss20bd rollback`: the engine that was used before the present one. */
import { access } from 'node:fs/promises'
import { constants } from 'node:fs'
import { endTrial, readTrial, serverOf } from '../../engine-trial.ts'
import { Oss20bdError } from '../../errors.ts'
import { defineCommand, print } from '../command.ts'
import { askIfRunning } from '../control-client.ts'
import { assertChoosable } from '../engines/shelf.ts'
import { seeThrough } from '../engines/swap-engine.ts'
import { withProgress } from '../progress.ts'
import { readSettled } from '../settings.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    assertChoosable((await readSettled(context)).config, 'go back to the engine before')
    const { engines, controlSocket } = context.paths
    const trial = await readTrial(engines)
    if (trial === null || trial.outcome === 'rolled-back') throw nothingBefore()
    const { engine, earlier } = trial
    await access(serverOf(engines, earlier), constants.X_OK).catch(() => {
      throw gone(earlier)
    })
    await endTrial(engines, trial, 'rolled-back', 'as asked')
    const isUp = (await askIfRunning(controlSocket))?.wanted === 'up'
    if (isUp) {
      const title = `Going back to ${earlier}`
      await withProgress({ title, stream: context.stderr }, async (progress) => ({
        result: await seeThrough(context, null, progress),
      }))
    }
    const told = { engine: earlier, from: engine, running: isUp }
    const text = isUp
      ? `In use again, and answering: ${earlier}`
      : `In use from the next start on: ${earlier}`
    print(context, context.json ? JSON.stringify(told) : text)
    return 0
  },
})

function nothingBefore(): Oss20bdError {
  return new Oss20bdError('usage', 'Cannot go back: no engine was used before the present one', {
    hint: 'Choose one by its name: oss20bd engines',
  })
}

function gone(name: string): Oss20bdError {
  return new Oss20bdError('engine-missing', `Cannot go back to ${name}: its llama-server is gone`, {
    hint: 'Choose another one: oss20bd engines',
  })
}
