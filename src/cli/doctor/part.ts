/** One part of what the doctor looks at: gathers its facts and judges them. Types only. */
import type { Finding } from '../../finding.ts'
import type { Context } from '../command.ts'
import type { Visit } from './visit.ts'

export interface DoctorPart {
  /** `service`: one word, shown and in the JSON. */
  readonly name: string
  examine(context: Context, visit: Visit): Promise<Examined>
}

export interface Examined {
  /** What was looked at, in a line: `launchd runs it as pid 123`. */
  readonly state: string
  readonly findings: readonly Finding[]
}
