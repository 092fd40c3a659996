/** Has every part looked at. One that cannot look says so, and keeps no other from it. */
import { Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import type { DoctorPart, Examined } from './part.ts'
import { PARTS } from './parts.ts'
import { visit } from './visit.ts'

export type ExaminedPart = Examined & { readonly name: string }

/** All at once: most of their time is spent on waiting for tools. */
export async function examineAll(
  context: Context,
  parts: readonly DoctorPart[] = PARTS,
): Promise<readonly ExaminedPart[]> {
  const here = visit(context)
  return Promise.all(
    parts.map(async (part) => {
      const found = await part.examine(context, here).catch((error: unknown) => blind(error))
      return { name: part.name, ...found }
    }),
  )
}

function blind(error: unknown): Examined {
  if (!(error instanceof Oss20bdError)) throw error
  // A finding of its own part.
  if (error.code === 'config-invalid') {
    return { state: 'not looked at: the config is not valid', findings: [] }
  }
  const what = 'This could not be looked at'
  const finding = { id: 'not-examined', what, why: error.message, mend: 'oss20bd logs -n 50' }
  return { state: 'not looked at', findings: [finding] }
}
