/** Looks at the engine and the model before each run: what will not work is said, not tried. */
import { realpath } from 'node:fs/promises'
import type { ExitReason } from '../engine.ts'
import { Oss20bdError } from '../errors.ts'
import { assertExecutable, readEngineVersion } from '../llama/engine-info.ts'
import { checkModelFile, type ModelFileCheck } from '../model/model-file.ts'

/** The engine and model of the next run, with what was found out about them. */
export class Preflight {
  readonly #enginePath: string
  readonly #modelPath: string
  /** The files themselves, behind `current` links. */
  engineFile: string
  modelFile: string
  engineVersion: string | null = null
  testModel = false

  constructor(enginePath: string, modelPath: string) {
    this.#enginePath = enginePath
    this.#modelPath = modelPath
    this.engineFile = enginePath
    this.modelFile = modelPath
  }

  /** A reason not to start, or null. Never throws. */
  async check(): Promise<ExitReason | null> {
    const engine = await this.#checkEngine()
    if (engine !== null) return engine
    this.modelFile = await realpath(this.#modelPath).catch(() => this.#modelPath)
    const model = await checkModelFile(this.modelFile)
    this.testModel = model.kind === 'ok' && model.testModel
    return model.kind === 'ok' ? null : modelReason(model)
  }

  async #checkEngine(): Promise<ExitReason | null> {
    const file = await realpath(this.#enginePath).catch(() => this.#enginePath)
    try {
      await assertExecutable(file)
    } catch (error) {
      if (!(error instanceof Oss20bdError)) throw error
      const { message, hint } = error
      return { cause: 'engine-missing', permanent: true, message, hint: hint ?? null }
    }
    if (file !== this.engineFile || this.engineVersion === null) {
      this.engineVersion = (await readEngineVersion(file))?.version ?? null
    }
    this.engineFile = file
    return null
  }
}

/** Why a model cannot be loaded. Permanent: the file must change first. */
function modelReason(check: Exclude<ModelFileCheck, { kind: 'ok' }>): ExitReason {
  const { message, hint } = check
  return { cause: modelCause(check.kind), permanent: true, message, hint }
}

function modelCause(kind: Exclude<ModelFileCheck, { kind: 'ok' }>['kind']): ExitReason['cause'] {
  switch (kind) {
    case 'missing':
    case 'folder':
    case 'unreadable':
      return 'model-missing'
    case 'legacy':
      return 'model-legacy-format'
    case 'empty':
    case 'not-gguf':
    case 'cut-short':
      return 'model-corrupt'
  }
}
