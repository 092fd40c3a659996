/** Makes the supervisor: what it asks of the config, the machine and the port before, within and after a run. */
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import { plannedSlots } from '../llama/engine-profile.ts'
import { createLlamaEngine, type LlamaEngineOptions } from '../llama/llama-engine.ts'
import type { ProxyServer } from '../proxy/proxy-server.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { llamaOptions, supervisorSettings } from './engine-settings.ts'
import { createDeathExplainer } from './explain-death.ts'
import type { LiveConfig } from './live-config.ts'
import type { MemoryParts } from './memory-parts.ts'
import type { Preflight } from './preflight.ts'
import type { TrialWatch } from './trial-watch.ts'

interface Neighbours {
  readonly live: LiveConfig
  readonly preflight: Preflight
  readonly trials: TrialWatch
  /** They are made with the supervisor in hand. */
  readonly memory: () => MemoryParts
  readonly proxy: () => ProxyServer
  readonly ending: AbortSignal
}

export function superviseWith(options: DaemonOptions, neighbours: Neighbours): Supervisor {
  const { paths, clock } = options
  const { live, preflight, trials, memory, proxy, ending } = neighbours
  const asked = (): LlamaEngineOptions => llamaOptions(live.current(), paths, preflight)
  const deaths = createDeathExplainer(() => preflight.engineFile, clock, ending)
  return new Supervisor({
    ...options,
    engine: (profile) => createLlamaEngine(asked(), profile),
    settings: () => supervisorSettings(live.current(), preflight.contextTokens),
    preflight: async (profile) => {
      await trials.look()
      const [verdict] = await Promise.all([preflight.check(), deaths.prepare()])
      // Known only now, and safe mode changes it.
      memory().slots.setSlots(plannedSlots(asked(), profile))
      return verdict.kind === 'go' ? memory().mayStart(profile) : verdict
    },
    prove: (engine, signal) => trials.prove(engine, signal),
    drain: () => drainAndCut(proxy(), live.current()),
    untilChanged: (signal) => preflight.untilChanged(signal),
    explainDeath: (death) => deaths.explain(death),
    recordFile: recordFile(paths),
    random: () => Math.random(),
  })
}

/** Lets open requests finish, then closes the connections of those that did not in time. */
async function drainAndCut(proxy: ProxyServer, config: Config): Promise<{ unfinished: number }> {
  const result = await proxy.drain(config.engine.drainTimeoutMs)
  proxy.closeUpstream()
  return result
}

/** Names the engine that runs, for the next daemon. */
export function recordFile(paths: Paths): string {
  return join(paths.run, 'engine.json')
}
