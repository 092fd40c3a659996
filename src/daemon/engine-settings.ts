/** The Config as the parts around the engine need it. Pure. */
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import { maxContextHalvings } from '../llama/engine-profile.ts'
import type { LlamaEngineOptions } from '../llama/llama-engine.ts'
import type { SupervisorSettings } from '../supervisor/supervisor-options.ts'

/** Of its own 8192 MiB a Mac of 32 GiB has no use: it grows until the machine swaps. */
const cacheRamMiB = 1024

export function llamaOptions(
  { engine, model }: Config,
  paths: Paths,
  files: { readonly engineFile: string; readonly modelFile: string },
): LlamaEngineOptions {
  return {
    file: files.engineFile,
    modelPath: files.modelFile,
    alias: model.alias,
    socketPath: paths.engineSocket,
    contextTokens: model.contextTokens,
    slots: model.slots,
    cacheRamMiB,
    extraArgs: engine.extraArgs,
    xdgConfigHome: join(paths.home, 'engine-config'),
  }
}

export function supervisorSettings({ restart, engine, health, model }: Config): SupervisorSettings {
  return {
    restart: { ...restart, maxContextHalvings: maxContextHalvings(model.contextTokens) },
    graces: engine,
    startTimeoutMs: engine.startTimeoutMs,
    health,
  }
}
