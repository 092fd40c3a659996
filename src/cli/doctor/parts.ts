/** What the doctor looks at, in the order of the report. */
import { daemonPart } from './daemon.ts'
import { enginePart } from './engine.ts'
import { machinePart } from './machine.ts'
import { modelPart } from './model.ts'
import type { DoctorPart } from './part.ts'
import { servicePart } from './service.ts'

export const PARTS: readonly DoctorPart[] = [
  machinePart,
  enginePart,
  modelPart,
  daemonPart,
  servicePart,
]
