/** What the doctor looks at, in the order in which it is mended. */
import { clockPart } from './clock.ts'
import { configPart } from './config.ts'
import { daemonPart } from './daemon.ts'
import { enginePart } from './engine.ts'
import { foldersPart } from './folders.ts'
import { machinePart } from './machine.ts'
import { modelPart } from './model.ts'
import type { DoctorPart } from './part.ts'
import { servicePart } from './service.ts'
import { speedPart } from './speed.ts'
import { toolsPart } from './tools.ts'

export const PARTS: readonly DoctorPart[] = [
  machinePart,
  clockPart,
  foldersPart,
  configPart,
  toolsPart,
  enginePart,
  modelPart,
  daemonPart,
  speedPart,
  servicePart,
]
