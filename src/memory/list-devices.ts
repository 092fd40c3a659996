/** What `llama-server --list-devices` says of the GPUs it can use. Pure. */
import { type Answer, known, unknown } from './answer.ts'
import { wholeLines, wholeNumber } from './lines.ts'

export interface ListedDevice {
  /** `MTL0`, `CUDA0`. */
  readonly name: string
  readonly description: string
  /** On a Mac what Metal recommends as the most that is kept wired. */
  readonly totalBytes: number
}

const mib = 2 ** 20

/** null when there is no list. Devices without memory of their own (`BLAS`) are left out. */
export function parseDevices(stdout: string): ListedDevice[] | null {
  const lines = wholeLines(stdout)
  const start = lines.indexOf('Available devices:')
  if (start === -1) return null
  return lines.slice(start + 1).flatMap((line) => {
    const [, name, description, total] =
      /^ {2}([^\s:]+): (.*) \((\d+) MiB, \d+ MiB free\)$/.exec(line) ?? []
    const totalMib = wholeNumber(total)
    if (name === undefined || description === undefined || totalMib === null || totalMib === 0)
      return []
    return [{ name, description, totalBytes: totalMib * mib }]
  })
}

/** What all of them may hold together. */
export function gpuLimit(stdout: string): Answer<number> {
  const devices = parseDevices(stdout)
  if (devices === null) return unknown('llama-server --list-devices printed no list')
  if (devices.length === 0) return unknown('llama-server finds no GPU that it can use')
  return known(devices.reduce((sum, { totalBytes }) => sum + totalBytes, 0))
}
