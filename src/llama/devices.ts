/** Asks llama-server which GPUs it would use and how much each of them may hold. */
import { execFile } from 'node:child_process'

export interface GpuDevice {
  /** `MTL0`, `CUDA0`. */
  readonly id: string
  readonly name: string
  /** On a Mac that is what Metal recommends, about two thirds to three quarters of the memory. */
  readonly limitBytes: number
}

export type DeviceList =
  | { readonly kind: 'listed'; readonly devices: readonly GpuDevice[] }
  | { readonly kind: 'unknown'; readonly reason: string }

const MIB = 2 ** 20
const DEADLINE_MS = 10_000

/** What `--list-devices` says; an engine without a GPU lists none. Never rejects. */
export function listDevices(file: string): Promise<DeviceList> {
  // No `LLAMA_ARG_*` of the user: a wrong one would fail it.
  const env = { PATH: process.env['PATH'] ?? '' }
  const options = { env, timeout: DEADLINE_MS, maxBuffer: 1_000_000 }
  return new Promise((resolve) => {
    // Not execa: without a file descriptor to spare it would end the daemon (docs/decisions/0002).
    const child = execFile(file, ['--list-devices'], options, (error, stdout, stderr) => {
      resolve(error === null ? listed(`${stdout}\n${stderr}`) : unknown(error))
    })
    child.stdin?.end()
  })
}

function listed(output: string): DeviceList {
  const devices = parseDeviceList(output)
  const reason = 'llama-server --list-devices did not answer with a list'
  return devices === null ? { kind: 'unknown', reason } : { kind: 'listed', devices }
}

function unknown(error: Error & { readonly killed?: boolean }): DeviceList {
  const how = error.killed === true ? 'took more than 10 s' : 'could not be run'
  return { kind: 'unknown', reason: `llama-server --list-devices ${how}` }
}

/** Reads lines like `  MTL0: Apple M4 Pro (38338 MiB, 38338 MiB free)`; null when it is no list. Pure. */
export function parseDeviceList(output: string): readonly GpuDevice[] | null {
  const lines = output.split(/\r?\n/)
  const start = lines.findIndex((line) => line.trim() === 'Available devices:')
  if (start === -1) return null
  const devices: GpuDevice[] = []
  for (const line of lines.slice(start + 1)) {
    const match = /^ {2}([\w[\]./:-]+): (.*) \((\d+) MiB, \d+ MiB free\)$/.exec(line)
    // Accelerators of the CPU (BLAS) have no memory of their own.
    if (match === null || Number(match[3]) === 0) continue
    devices.push({
      id: match[1] ?? '',
      name: match[2] ?? '',
      limitBytes: Number(match[3]) * MIB,
    })
  }
  return devices
}

/** Whether its memory is that of the machine. `Metal` is the older name. */
export function isMetal({ id }: Pick<GpuDevice, 'id'>): boolean {
  return /^(?:MTL|Metal)/.test(id)
}
