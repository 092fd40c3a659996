/** The doctor's look at the config: can it be read, and is all in it possible. */
import { access } from 'node:fs/promises'
import { Oss20bdError } from '../../errors.ts'
import { quote } from '../../service/step-text.ts'
import { configFileOf } from '../settings.ts'
import type { DoctorPart, Examined } from './part.ts'

export const configPart: DoctorPart = {
  name: 'config',
  examine: async (context, { config }) => {
    const file = configFileOf(context)
    try {
      await config()
      const is = (await isThere(file)) ? 'valid' : 'none, so that the defaults hold'
      return { state: `${is} (${file})`, findings: [] }
    } catch (error) {
      if (error instanceof Oss20bdError) return invalidConfig(file, error)
      throw error
    }
  },
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

/** Pure. */
export function invalidConfig(file: string, { message }: Pick<Oss20bdError, 'message'>): Examined {
  return {
    state: `not valid (${file})`,
    findings: [
      {
        id: 'config-invalid',
        what: 'The config is not valid: the daemon goes by none of it',
        why: message.replaceAll(/\s*\n\s*/g, '; '),
        // The user's own editor, and one that is on both systems.
        mend: `\${EDITOR:-nano} ${quote(file)}`,
      },
    ],
  }
}
