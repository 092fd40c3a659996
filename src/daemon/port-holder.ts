/** Finds out which process listens on a TCP port, where the system tells. */

export interface PortHolder {
  readonly pid: number
  readonly name: string
}

/** It only adds words to an error that is told anyway, so it must not hold it up. */
const TIMEOUT_MS = 3000

/** null when nobody listens, when it is somebody else's process, or when no tool can tell. Never throws. */
export async function findPortHolder(port: number): Promise<PortHolder | null> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), TIMEOUT_MS)
  })
  try {
    return await Promise.race([askSystem(port), tooLate])
  } finally {
    clearTimeout(timer)
  }
}

async function askSystem(port: number): Promise<PortHolder | null> {
  try {
    // Loaded here: it is large and needed only in this rare case.
    const { networkConnections } = await import('systeminformation')
    return pickHolder(await networkConnections(), port)
  } catch {
    return null
  }
}

interface Connection {
  readonly localPort: string
  readonly state: string
  readonly pid: number
  readonly process: string
}

/** Pure. */
export function pickHolder(connections: readonly Connection[], port: number): PortHolder | null {
  const holder = connections.find(
    ({ state, localPort, pid }) => /^LISTEN/i.test(state) && Number(localPort) === port && pid > 0,
  )
  return holder === undefined ? null : { pid: holder.pid, name: holder.process }
}
