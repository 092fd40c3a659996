/** `oss20bd uninstall`: ends the service and removes what `oss20bd install` made; with --purge all the rest too. */
import { createInterface } from 'node:readline/promises'
import { Oss20bdError } from '../../errors.ts'
import { removeEmptyFolder, removeFolder } from '../../service/step-files.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { purgeList } from '../purge-list.ts'
import { planJson, renderPlan } from '../render-plan.ts'
import { installedScope, type Scope } from '../find-unit.ts'
import type { ServiceHere } from '../service-here.ts'
import { findInstalled, serviceHere } from '../service-here.ts'
import { runService } from '../service-run.ts'

export const command = defineCommand({
  options: {
    'dry-run': { type: 'boolean', default: false, describe: 'Only print every step' },
    system: {
      type: 'boolean',
      default: false,
      describe: 'The one of the whole machine; needs sudo',
    },
    purge: {
      type: 'boolean',
      default: false,
      describe: 'Remove models, engines, config and logs too; asks first',
    },
    yes: { type: 'boolean', default: false, describe: 'With --purge: do not ask' },
  },
  async run(args, context) {
    const scope: Scope = args.system ? 'system' : await scopeOf(context)
    const here = await serviceHere(context, scope)
    const { found, isInstalled } = await findInstalled(here)
    const plan = here.service.plan('uninstall', here.spec, found)
    if (args['dry-run']) {
      if (context.json) print(context, JSON.stringify(planJson(plan), undefined, 2))
      else for (const line of renderPlan(plan)) print(context, line)
      return 0
    }
    if (args.purge && !args.yes) await ask(here)
    await runService('uninstall', here, found)
    const purged = args.purge ? await purge(here) : []
    tell(here, isInstalled, purged)
    return 0
  },
})

async function scopeOf(context: Context): Promise<Scope> {
  return (await installedScope(context)) ?? 'user'
}

/** Throws `usage` for anything but yes. */
async function ask({ context }: ServiceHere): Promise<void> {
  const list = purgeList(context.paths)
  if (!process.stdin.isTTY) {
    throw new Oss20bdError(
      'usage',
      'Cannot ask whether to remove everything: this is no terminal',
      {
        hint: 'Add --yes to remove it without being asked',
      },
    )
  }
  say(context, 'This removes, for good:')
  for (const path of list.paths) say(context, `  ${path}`)
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await lines.question('Remove all of it? Type yes: ')
    if (answer.trim().toLowerCase() === 'yes') return
  } finally {
    lines.close()
  }
  throw new Oss20bdError('usage', 'Nothing was removed: the answer was not yes', {
    hint: 'To remove only the service: oss20bd uninstall',
  })
}

/** What was removed. */
async function purge({ context }: ServiceHere): Promise<readonly string[]> {
  const { paths, folders } = purgeList(context.paths)
  for (const path of paths) await removeFolder(path)
  for (const folder of folders) await removeEmptyFolder(folder)
  return paths
}

function tell(here: ServiceHere, wasInstalled: boolean, purged: readonly string[]): void {
  const { context, service, spec } = here
  const file = service.unitFile(spec)
  if (context.json) {
    print(context, JSON.stringify({ removed: wasInstalled ? file : null, purged }))
    return
  }
  print(context, wasInstalled ? `Removed: ${file}` : 'Nothing to remove: no service is installed')
  const { models, configFile, logs } = context.paths
  if (purged.length === 0) {
    print(
      context,
      `Kept: ${models}, ${configFile}, ${logs}. To remove them: oss20bd uninstall --purge`,
    )
  } else for (const path of purged) print(context, `Removed: ${path}`)
}
