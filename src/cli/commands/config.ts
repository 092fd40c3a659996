/** `oss20bd config`: every setting, its value and where it came from. */
import { existsSync } from 'node:fs'
import { defineCommand, print } from '../command.ts'
import { paintFor } from '../paint.ts'
import { configFileOf, readSettled } from '../settings.ts'
import { renderSettings } from '../render-settings.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    const { values, origins } = await readSettled(context)
    const file = configFileOf(context)
    const exists = existsSync(file)
    if (context.json) {
      print(context, JSON.stringify({ file, exists, values, origins }, undefined, 2))
      return 0
    }
    const paint = await paintFor(context.stdout, context.env)
    print(context, `${file}${exists ? '' : ' (no such file yet)'}`)
    for (const line of renderSettings(values, origins, paint)) print(context, line)
    return 0
  },
})
