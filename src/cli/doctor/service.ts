/** The doctor's look at the service of this machine. */
import { join } from 'node:path'
import type { Finding } from '../../finding.ts'
import { gatherLaunchd } from '../../service/launchd-facts.ts'
import { judgeLaunchd } from '../../service/launchd-findings.ts'
import { runCommand } from '../../service/run-command.ts'
import type { ServiceState } from '../../service/service.ts'
import type { Context } from '../command.ts'
import type { ServiceHere } from '../service-here.ts'
import { installedScope } from '../find-unit.ts'
import { findInstalled, serviceHere, type Installed } from '../service-here.ts'
import { readSettled } from '../settings.ts'
import type { DoctorPart, Examined } from './part.ts'

export const servicePart: DoctorPart = { name: 'service', examine: examineService }

export async function examineService(context: Context): Promise<Examined> {
  const here = await serviceHere(context, (await installedScope(context)) ?? 'user', 'look')
  const installed = await findInstalled(here)
  const findings =
    here.service.kind === 'launchd'
      ? judgeLaunchd(await launchdFacts(context, here, installed))
      : judgeState(installed)
  return { state: stateText(here, installed), findings }
}

async function launchdFacts(
  context: Context,
  { spec }: ServiceHere,
  { found }: Installed,
): ReturnType<typeof gatherLaunchd> {
  const { config } = await readSettled(context)
  const { port } = config.proxy
  const { findPortHolder } = await import('../../port-holder.ts')
  const holder = await findPortHolder(port)
  return gatherLaunchd({
    spec,
    model: config.model.path ?? join(context.paths.models, 'current'),
    models: context.paths.models,
    port,
    // One that `oss20bd start` made is no stranger.
    portHolder: holder?.pid === found.backgroundPid ? null : holder,
    run: runCommand,
  })
}

/** What any service manager can tell. */
function judgeState({ state, isInstalled }: Installed): readonly Finding[] {
  if (!isInstalled) return []
  switch (state.kind) {
    case 'running':
      return []
    case 'not-loaded':
      return [
        {
          id: 'not-loaded',
          what: 'The service is installed and does not run',
          why: state.reason,
          mend: 'oss20bd start',
        },
      ]
    case 'idle':
      return [
        {
          id: 'not-running',
          what: 'The service does not run',
          why: `${state.detail}, last exit ${state.lastExit ?? 'unknown'}`,
          mend: 'oss20bd start',
        },
      ]
    case 'unknown':
      return [
        {
          id: 'cannot-ask',
          what: 'The service cannot be asked about',
          why: state.reason,
          mend: 'oss20bd install',
        },
      ]
  }
}

function stateText({ service }: ServiceHere, { state, isInstalled }: Installed): string {
  if (!isInstalled && state.kind !== 'running') {
    return 'none is installed; to have the daemon always up: oss20bd install'
  }
  return `${service.kind}: ${stateWords(state)}`
}

function stateWords(state: ServiceState): string {
  switch (state.kind) {
    case 'running':
      return `runs as pid ${state.pid}`
    case 'not-loaded':
    case 'unknown':
      return state.reason
    case 'idle':
      return state.detail
  }
}
