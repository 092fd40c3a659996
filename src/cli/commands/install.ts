/** `oss20bd install`: keeps the daemon running from login on (or from boot), by launchd or systemd. */
import { join } from 'node:path'
import { assertSocketPathsFit, ensureFolders } from '../../config/ensure-folders.ts'
import { Oss20bdError } from '../../errors.ts'
import { followLinks } from '../../service/follow-links.ts'
import { refuseInstall } from '../../service/install-refusal.ts'
import { runCommand } from '../../service/run-command.ts'
import { NOTHING_FOUND } from '../../service/service.ts'
import { lingerAdvice, readLinger } from '../../service/systemd-linger.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { planJson, renderPlan } from '../render-plan.ts'
import type { Scope } from '../find-unit.ts'
import type { ServiceHere } from '../service-here.ts'
import { findInstalled, serviceElsewhere, serviceHere } from '../service-here.ts'
import { runService } from '../service-run.ts'
import { readSettled } from '../settings.ts'

const PLATFORMS = { macos: 'darwin', linux: 'linux' } as const

export const command = defineCommand({
  options: {
    'dry-run': {
      type: 'boolean',
      default: false,
      describe: 'Only print the plist or unit and every step',
    },
    for: {
      choices: ['macos', 'linux'],
      describe: 'With --dry-run: what it would be on that system, printed on any machine',
    },
    system: {
      type: 'boolean',
      default: false,
      describe: 'From boot on instead of from login on; needs sudo, runs as you',
    },
  },
  async run(args, context) {
    const scope: Scope = args.system ? 'system' : 'user'
    if (args.for !== undefined && !args['dry-run']) throw onlyDry()
    if (args.for !== undefined) {
      const platform = args.for === 'macos' ? PLATFORMS.macos : PLATFORMS.linux
      const { service, spec } = await serviceElsewhere(context, platform, scope)
      return tellPlan(context, service.plan('install', spec, NOTHING_FOUND))
    }
    const here = await serviceHere(context, scope)
    const { found, isInstalled } = await findInstalled(here)
    if (args['dry-run']) return tellPlan(context, here.service.plan('install', here.spec, found))
    await assertMayInstall(here)
    // As root they would be root's: the service makes its own.
    if (scope === 'user') await ensureFolders(here.context.paths)
    else assertSocketPathsFit(here.context.paths, process.platform)
    await runService('install', here, found)
    tellInstalled(here, isInstalled)
    await tellLinger(here)
    return 0
  },
})

function onlyDry(): Oss20bdError {
  return new Oss20bdError('usage', 'Cannot install for another system: --for only prints', {
    hint: 'Add --dry-run',
  })
}

function tellPlan(context: Context, plan: Parameters<typeof renderPlan>[0]): 0 {
  if (context.json) print(context, JSON.stringify(planJson(plan), undefined, 2))
  else for (const line of renderPlan(plan)) print(context, line)
  return 0
}

async function assertMayInstall({ context, service, spec }: ServiceHere): Promise<void> {
  const { config } = await readSettled(context)
  const model = config.model.path ?? join(context.paths.models, 'current')
  const refused = await refuseInstall(
    {
      kind: service.kind,
      spec,
      sudoUser: context.env['SUDO_USER'] ?? null,
      model: await followLinks(model),
    },
    runCommand,
  )
  if (refused === null) return
  throw new Oss20bdError('service-failed', `Cannot install the service: ${refused.message}`, {
    hint: refused.hint,
  })
}

/** Linux ends a user's services at the last logout, unless the user has said otherwise. */
async function tellLinger({ context, service, spec }: ServiceHere): Promise<void> {
  if (service.kind !== 'systemd' || spec.scope === 'system') return
  const advice = lingerAdvice(spec.user.name, await readLinger(spec.user.name, runCommand))
  if (advice !== null) say(context, advice)
}

function tellInstalled({ context, service, spec }: ServiceHere, before: boolean): void {
  const file = service.unitFile(spec)
  if (context.json) {
    print(context, JSON.stringify({ installed: file, kind: service.kind, replaced: before }))
    return
  }
  const when = spec.scope === 'system' ? 'when the machine starts' : 'when you log in'
  print(context, `${before ? 'Installed anew' : 'Installed'}: ${file}`)
  print(context, `It runs now, starts ${when}, and is started again whenever it ends`)
  if (service.kind === 'launchd' && !before) {
    print(context, 'macOS tells that "oss20bd" was added to the Login Items: leave it switched on')
  }
  print(
    context,
    'See it: oss20bd status. Is all well: oss20bd doctor. Remove it: oss20bd uninstall',
  )
}
