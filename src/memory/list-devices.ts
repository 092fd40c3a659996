/** What the GPUs may hold, as the engine lists them. Pure. */
import { parseDeviceList } from '../device-list.ts'
import { type Answer, known, unknown } from './answer.ts'

/** What all of them may hold together. */
export function gpuLimit(stdout: string): Answer<number> {
  const devices = parseDeviceList(stdout)
  if (devices === null) return unknown('llama-server --list-devices printed no list')
  if (devices.length === 0) return unknown('llama-server finds no GPU that it can use')
  return known(devices.reduce((sum, { limitBytes }) => sum + limitBytes, 0))
}
