/** Only what the judge needs of it. */
export interface Told {
  readonly generatedTokens: number | null
}

export function readAnswer(api: string, isStream: boolean, bytes: Buffer): Told
