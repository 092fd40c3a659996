/** Colours for a terminal, or none. */
import type { Output } from './command.ts'

type Dye = (text: string) => string

export interface Paint {
  readonly good: Dye
  readonly warn: Dye
  readonly bad: Dye
  readonly dim: Dye
  readonly strong: Dye
  readonly underline: Dye
  /** Program text within prose. */
  readonly code: Dye
}

const plain: Dye = (text) => text

/** No colour at all. */
export const NO_PAINT: Paint = {
  good: plain,
  warn: plain,
  bad: plain,
  dim: plain,
  strong: plain,
  underline: plain,
  code: plain,
}

/** Colours only when `output` is a terminal and `NO_COLOR` is not set (https://no-color.org). */
export async function paintFor(
  output: Output,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Paint> {
  const refused = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  if (output.isTTY !== true || refused) return NO_PAINT
  const { default: picocolors } = await import('picocolors')
  const colors = picocolors.createColors(true)
  return {
    good: colors.green,
    warn: colors.yellow,
    bad: colors.red,
    dim: colors.dim,
    strong: colors.bold,
    underline: colors.underline,
    code: colors.cyan,
  }
}
