/** `oss20bd doctor`: finds what is wrong, and names the one command that mends each. */
import { resolve } from 'node:path'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { examineAll, type ExaminedPart } from '../doctor/examine.ts'
import { fixAfterAsking } from '../doctor/fix.ts'
import { writeReport } from '../doctor/report.ts'
import type { ExitStatus } from '../exit-status.ts'
import { paintFor } from '../paint.ts'
import { byGrade, doctorJson, gradeOf, renderDoctor } from '../render-doctor.ts'

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
    const examined = await examineAll(context)
    await show(examined, context)
    if (args.report !== undefined) {
      const file = resolve(args.report)
      await writeReport(file, doctorJson(examined), context)
      say(context, `Written: ${file}; read it before you send it`)
    }
    if (!args.fix) return statusOf(examined)
    const findings = byGrade(examined).flatMap((part) => part.findings)
    if ((await fixAfterAsking(findings, context)) === 0) return statusOf(examined)
    const again = await examineAll(context)
    await show(again, context)
    return statusOf(again)
  },
})

async function show(examined: readonly ExaminedPart[], context: Context): Promise<void> {
  if (context.json) return print(context, JSON.stringify(doctorJson(examined), undefined, 2))
  const paint = await paintFor(context.stdout, context.env)
  // A file or a pipe has no edge.
  const width = context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
  for (const line of renderDoctor(examined, paint, width)) print(context, line)
}

/** What works, but not as well as it could, is no failure. */
function statusOf(examined: readonly ExaminedPart[]): ExitStatus {
  return examined.some(({ findings }) => gradeOf(findings) === 'wrong') ? 1 : 0
}
