/** What `llama-server --list-devices` says of the GPUs it can use. Pure. */

export interface GpuDevice {
  /** `MTL0`, `CUDA0`. */
  readonly id: string
  readonly name: string
  /** On a Mac that is what Metal recommends, about two thirds to three quarters of the memory. */
  readonly limitBytes: number
}

const MIB = 2 ** 20

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
