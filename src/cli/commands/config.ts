/** `oss20bd config`: every setting, its value and where it came from; or all about one. */
import { existsSync } from 'node:fs'
import { didYouMean } from '../../config/did-you-mean.ts'
import { isSettingKey, SETTING_KEYS, SETTINGS, variableOf } from '../../config/schema.ts'
import { Oss20bdError } from '../../errors.ts'
import { type Context, defineCommand, print } from '../command.ts'
import type { ExitStatus } from '../exit-status.ts'
import { paintFor } from '../paint.ts'
import { configFileOf, readSettled } from '../settings.ts'
import { renderSetting, renderSettings } from '../render-settings.ts'

export const command = defineCommand({
  options: { KEY: { type: 'string', hidden: true, describe: 'Tell all about this setting' } },
  async run({ KEY: key }, context) {
    if (key !== undefined) return tellOne(key, context)
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

async function tellOne(key: string, context: Context): Promise<ExitStatus> {
  if (!isSettingKey(key)) throw unknownKey(key)
  const { values, origins } = await readSettled(context)
  const { description, allowed, default: usual, reason } = SETTINGS[key]
  const told = {
    key,
    value: values[key],
    origin: origins[key],
    description,
    allowed,
    default: usual,
    reason,
    variable: variableOf(key),
  }
  if (context.json) print(context, JSON.stringify(told, undefined, 2))
  else for (const line of renderSetting(told)) print(context, line)
  return 0
}

function unknownKey(key: string): Oss20bdError {
  const near = didYouMean(key, SETTING_KEYS)
  return new Oss20bdError('usage', `Cannot tell about ${key}: there is no such setting`, {
    hint: near === null ? 'All settings: oss20bd config' : `Did you mean: oss20bd config ${near}`,
  })
}
