/** `oss20bd doctor`: finds what is wrong, and names the one command that mends each. */
import { defineCommand, print } from '../command.ts'
import { PARTS } from '../doctor/parts.ts'
import { paintFor } from '../paint.ts'
import { doctorJson, type ExaminedPart, renderDoctor } from '../render-doctor.ts'

export const command = defineCommand({
  options: {},
  async run(_args, context) {
    const examined: ExaminedPart[] = []
    for (const { name, examine } of PARTS) examined.push({ name, ...(await examine(context)) })
    if (context.json) {
      print(context, JSON.stringify(doctorJson(examined), undefined, 2))
    } else {
      const paint = await paintFor(context.stdout, context.env)
      for (const line of renderDoctor(examined, paint)) print(context, line)
    }
    return examined.every(({ findings }) => findings.length === 0) ? 0 : 1
  },
})
