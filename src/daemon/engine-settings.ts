/** The Config as the parts around the engine need it. Pure. */
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import { maxContextHalvings } from '../llama/engine-profile.ts'
import type { LlamaEngineOptions } from '../llama/llama-engine.ts'
import type { SupervisorSettings } from '../supervisor/supervisor-options.ts'

const MIB = 2 ** 20

/** What was found out about a run before it begins. */
export interface FoundForRun {
  readonly engineFile: string
  readonly modelFile: string
  /** What `auto` comes to, or what the config says. */
  readonly contextTokens: number
}

export function llamaOptions(
  { engine, model }: Config,
  paths: Paths,
  found: FoundForRun,
): LlamaEngineOptions {
  return {
    file: found.engineFile,
    modelPath: found.modelFile,
    alias: model.alias,
    socketPath: paths.engineSocket,
    contextTokens: found.contextTokens,
    slots: model.slots,
    cacheType: model.cacheType,
    cacheRamMiB: Math.floor(model.promptCacheBytes / MIB),
    extraArgs: engine.extraArgs,
    xdgConfigHome: join(paths.home, 'engine-config'),
  }
}

export function supervisorSettings(
  { restart, engine, health }: Config,
  contextTokens: number,
): SupervisorSettings {
  return {
    restart: { ...restart, maxContextHalvings: maxContextHalvings(contextTokens) },
    graces: engine,
    startTimeoutMs: engine.startTimeoutMs,
    health,
  }
}
