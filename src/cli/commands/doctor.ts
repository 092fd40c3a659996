/** `oss20bd doctor`: finds what is wrong, and names the one command that mends each. */
import { resolve } from 'node:path'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { fixAfterAsking } from '../doctor/fix.ts'
import { PARTS } from '../doctor/parts.ts'
import { writeReport } from '../doctor/report.ts'
import type { ExitStatus } from '../exit-status.ts'
import { paintFor } from '../paint.ts'
import { doctorJson, type ExaminedPart, renderDoctor } from '../render-doctor.ts'

export const command = defineCommand({
  options: {
    fix: {
      type: 'boolean',
      default: false,
      describe: 'Run the commands that can do no harm, each after a yes',
    },
    report: {
      type: 'string',
      requiresArg: true,
      describe: 'Write all of it to a file for a question: no prompts, answers, tokens or names',
    },
  },
  async run(args, context) {
    const examined = await examine(context)
    await show(examined, context)
    if (args.report !== undefined) {
      const file = resolve(args.report)
      await writeReport(file, doctorJson(examined), context)
      say(context, `Written: ${file}; read it before you send it`)
    }
    if (!args.fix) return statusOf(examined)
    const findings = examined.flatMap((part) => part.findings)
    if ((await fixAfterAsking(findings, context)) === 0) return statusOf(examined)
    const again = await examine(context)
    await show(again, context)
    return statusOf(again)
  },
})

async function examine(context: Context): Promise<readonly ExaminedPart[]> {
  const examined: ExaminedPart[] = []
  for (const part of PARTS) examined.push({ name: part.name, ...(await part.examine(context)) })
  return examined
}

async function show(examined: readonly ExaminedPart[], context: Context): Promise<void> {
  if (context.json) return print(context, JSON.stringify(doctorJson(examined), undefined, 2))
  const paint = await paintFor(context.stdout, context.env)
  for (const line of renderDoctor(examined, paint)) print(context, line)
}

function statusOf(examined: readonly ExaminedPart[]): ExitStatus {
  return examined.every(({ findings }) => findings.length === 0) ? 0 : 1
}
