export interface DocumentedSetting {
  readonly key: string
  readonly variable: string
  readonly about: {
    readonly default: string | number | boolean | readonly string[] | null
    readonly allowed: string
    readonly reason: string
    readonly description: string
  }
}

export function configPage(config: {
  readonly settings: readonly DocumentedSetting[]
  /** The sections that a restart of the engine takes up. */
  readonly liveSections: readonly string[]
}): string
