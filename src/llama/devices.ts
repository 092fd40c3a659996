/** Asks llama-server which GPUs it would use and how much each of them may hold. */
import { execFile } from 'node:child_process'
import { type GpuDevice, parseDeviceList } from '../device-list.ts'

export type DeviceList =
  | { readonly kind: 'listed'; readonly devices: readonly GpuDevice[] }
  | { readonly kind: 'unknown'; readonly reason: string }

const DEADLINE_MS = 10_000

/** What `--list-devices` says; an engine without a GPU lists none. Never rejects. */
export function listDevices(file: string): Promise<DeviceList> {
  // No `LLAMA_ARG_*` of the user: a wrong one would fail it.
  const env = { PATH: process.env['PATH'] ?? '' }
  const options = {
    env,
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 1_000_000,
  } as const
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
