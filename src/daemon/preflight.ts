/** Looks at the config, the engine and the model before each run: what will not work is said, not tried. */
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { ExitReason } from '../engine.ts'
import { Oss20bdError } from '../errors.ts'
import type { WriteJournal } from '../journal.ts'
import { assertExecutable, readEngineVersion } from '../llama/engine-info.ts'
import { missingFlags, readHelp, tooOld } from '../llama/probe-flags.ts'
import { checkModelFile, type ModelFileCheck } from '../model/model-file.ts'
import type { PreflightVerdict } from '../supervisor/supervisor-options.ts'
import { llamaOptions } from './engine-settings.ts'
import { type Fingerprints, fingerprintsOf, isSame, untilFilesChange } from './file-change.ts'
import type { LiveConfig } from './live-config.ts'
import { CAUTIOUS_CONTEXT, contextFor, type PlanFacts } from './memory-plan.ts'
import { readPlanFacts, THIS_MACHINE } from './plan-facts.ts'

export interface PreflightOptions {
  readonly config: LiveConfig
  readonly configFile: string
  readonly paths: Paths
  readonly clock: Pick<Clock, 'sleep'>
  readonly journal: WriteJournal
  /** The memory of the machine, or of the cgroup that limits us, whichever is less. */
  readonly physicalBytes: () => Promise<number>
}

/** The engine and model of the next run, with what was found out about them. */
export class Preflight {
  readonly #options: PreflightOptions
  /** The files themselves, behind `current` links. */
  engineFile: string
  modelFile: string
  engineVersion: string | null = null
  testModel = false
  /** What memory is planned from; null before the first look that found everything good. */
  facts: PlanFacts | null = null
  /** Of one conversation: what the config says, or what `auto` comes to. */
  contextTokens: number
  /** As they were when last looked at, so that no change falls between a look and the watch. */
  #seen: Fingerprints = new Map()
  #wasGood = false
  /** The fingerprint of the engine file that was last asked what it is. */
  #askedOf: string | undefined
  /** Those of our flags that it lacks. */
  #missingFlags: readonly string[] = []

  constructor(options: PreflightOptions) {
    this.#options = options
    const config = options.config.current()
    this.engineFile = enginePath(config, options.paths)
    this.modelFile = modelPath(config, options.paths)
    this.contextTokens = asNumber(config.model.contextTokens)
  }

  /**
   * Reads the config anew first. What has not changed since it was last found good is not looked at
   * again: after a crash every millisecond counts. Never throws for what is wrong with a file.
   */
  async check(): Promise<PreflightVerdict> {
    const { config, paths } = this.#options
    const before = await this.#look()
    if (this.#wasGood && isSame(before, this.#seen)) return { kind: 'go' }
    await config.refresh()
    const engine = enginePath(config.current(), paths)
    const model = modelPath(config.current(), paths)
    this.#seen = await this.#look()
    const reason = (await this.#checkEngine(engine)) ?? (await this.#checkModel(model))
    if (reason === null) await this.#plan()
    this.#wasGood = reason === null
    return reason === null ? { kind: 'go' } : { kind: 'cannot', reason }
  }

  async #plan(): Promise<void> {
    const { config: live, paths, physicalBytes } = this.#options
    const { modelFile, engineFile } = this
    const config = live.current()
    const { platform } = process
    const machine = { platform, physicalBytes: await physicalBytes(), asked: THIS_MACHINE }
    const facts = await readPlanFacts({ modelFile, engineFile, config, ...machine })
    const { contextTokens } = config.model
    this.facts = facts
    this.contextTokens = contextFor(facts, { ...llamaOptions(config, paths, this), contextTokens })
  }

  #look(): Promise<Fingerprints> {
    const { config, configFile, paths } = this.#options
    const now = config.current()
    return fingerprintsOf([configFile, enginePath(now, paths), modelPath(now, paths)])
  }

  /** Resolves once the config, the engine or the model is not what it was at the last check; tells which. */
  async untilChanged(signal: AbortSignal): Promise<void> {
    const { clock, journal } = this.#options
    const changed = await untilFilesChange(this.#seen, clock, signal)
    journal({
      kind: 'changed',
      message: `Changed: ${changed.join(', ')}; the engine is tried again`,
    })
  }

  async #checkEngine(path: string): Promise<ExitReason | null> {
    const file = await realpath(path).catch(() => path)
    try {
      await assertExecutable(file)
    } catch (error) {
      if (!(error instanceof Oss20bdError)) throw error
      const { message, hint } = error
      return { cause: 'engine-missing', permanent: true, message, hint: hint ?? null }
    }
    // Also when another one was put in its place.
    const found = this.#seen.get(path)
    if (found !== this.#askedOf || this.engineVersion === null) {
      const [version, help] = await Promise.all([readEngineVersion(file), readHelp(file)])
      this.engineVersion = version?.version ?? null
      this.#missingFlags = missingFlags(help)
      this.#askedOf = found
    }
    this.engineFile = file
    return tooOld(file, this.#missingFlags)
  }

  async #checkModel(path: string): Promise<ExitReason | null> {
    this.modelFile = await realpath(path).catch(() => path)
    const model = await checkModelFile(this.modelFile)
    this.testModel = model.kind === 'ok' && model.testModel
    return model.kind === 'ok' ? null : modelReason(model)
  }
}

/** Before it is known what fits. */
function asNumber(contextTokens: number | 'auto'): number {
  return contextTokens === 'auto' ? CAUTIOUS_CONTEXT : contextTokens
}

function enginePath(config: Config, paths: Paths): string {
  return config.engine.path ?? join(paths.engines, 'current', 'bin', 'llama-server')
}

function modelPath(config: Config, paths: Paths): string {
  return config.model.path ?? join(paths.models, 'current')
}

/** Why a model cannot be loaded. Permanent, unless it is not the file's fault: the file must change first. */
function modelReason(check: Exclude<ModelFileCheck, { kind: 'ok' }>): ExitReason {
  const { message, hint } = check
  return { cause: modelCause(check.kind), permanent: check.kind !== 'shortage', message, hint }
}

function modelCause(kind: Exclude<ModelFileCheck, { kind: 'ok' }>['kind']): ExitReason['cause'] {
  switch (kind) {
    case 'missing':
    case 'folder':
    case 'unreadable':
      return 'model-missing'
    case 'shortage':
      return 'system-shortage'
    case 'legacy':
      return 'model-legacy-format'
    case 'empty':
    case 'not-gguf':
    case 'cut-short':
      return 'model-corrupt'
  }
}
