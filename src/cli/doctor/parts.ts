/** What the doctor looks at, in the order of the report. */
import type { DoctorPart } from './part.ts'
import { servicePart } from './service.ts'

export const PARTS: readonly DoctorPart[] = [servicePart]
