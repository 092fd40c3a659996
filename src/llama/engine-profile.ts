/** What is really asked of llama-server after deaths that call for less. Pure. */
import type { EngineProfile } from '../engine.ts'
import type { LlamaServerOptions } from './server-args.ts'

/** The context of safe mode at most. */
const safeContextTokens = 8192
/** A smaller context answers too little to be worth a start. */
const minContextTokens = 2048

/** The context after so many halvings: never under 2048, unless it was to begin with. */
export function halvedContextTokens(contextTokens: number, halvings: number): number {
  return Math.max(
    Math.min(contextTokens, minContextTokens),
    Math.floor(contextTokens / 2 ** halvings),
  )
}

/** How many halvings change something; a further one would ask for the same again. */
export function maxContextHalvings(contextTokens: number): number {
  return contextTokens <= minContextTokens
    ? 0
    : Math.ceil(Math.log2(contextTokens / minContextTokens))
}

/**
 * The options with what the profile takes away. `extraArgs` stay: they are the user's, who may need one
 * of them to start at all (a device, a template). So a `--ctx-size` among them still wins, here too.
 */
export function withProfile(
  options: LlamaServerOptions,
  profile: EngineProfile,
): LlamaServerOptions {
  const contextTokens = halvedContextTokens(options.contextTokens, profile.contextHalvings)
  if (!profile.safeMode) return { ...options, contextTokens }
  return {
    ...options,
    contextTokens: Math.min(contextTokens, safeContextTokens),
    slots: 1,
    cacheRamMiB: 0,
  }
}

type Planned = Pick<LlamaServerOptions, 'contextTokens' | 'slots' | 'extraArgs'>

/** The context of one conversation; null when `extraArgs` leave it to the engine (0, or no number). */
export function plannedContextTokens(
  options: LlamaServerOptions,
  profile: EngineProfile,
): number | null {
  const planned: Planned = withProfile(options, profile)
  const ours = planned.contextTokens * planned.slots
  const inAll = lastValue(planned.extraArgs, ['-c', '--ctx-size'], ours)
  const slots = plannedSlots(options, profile)
  return inAll === null || slots === null ? null : Math.floor(inAll / slots)
}

/** How many requests it is asked to work on at once; null when `extraArgs` leave it to the engine. */
export function plannedSlots(options: LlamaServerOptions, profile: EngineProfile): number | null {
  const planned: Planned = withProfile(options, profile)
  return lastValue(planned.extraArgs, ['-np', '--parallel'], planned.slots)
}

/** The engine takes the last of repeated arguments, and `_` for `-` in their names. */
function lastValue(
  extraArgs: readonly string[],
  names: readonly string[],
  ours: number,
): number | null {
  const index = extraArgs.findLastIndex((arg) =>
    names.includes(arg.startsWith('--') ? arg.replaceAll('_', '-') : arg),
  )
  if (index === -1) return ours
  const value = Number(extraArgs[index + 1])
  return Number.isSafeInteger(value) && value > 0 ? value : null
}
