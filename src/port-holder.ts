/** Finds out which process listens on a TCP port, where the system tells. */
import { readdir, readFile, readlink } from 'node:fs/promises'

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
  const asked = process.platform === 'linux' ? askProc(port) : askSystemTools(port)
  try {
    return await Promise.race([asked.catch(() => null), tooLate])
  } finally {
    clearTimeout(timer)
  }
}

async function askSystemTools(port: number): Promise<PortHolder | null> {
  // Loaded here: it is large and needed only in this rare case.
  const { networkConnections } = await import('systeminformation')
  return pickHolder(await networkConnections(), port)
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

/** systeminformation needs ss or netstat there, which small systems lack. */
async function askProc(port: number): Promise<PortHolder | null> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  )
  const sockets = new Set(tables.flatMap((table) => listeningSockets(table, port)))
  if (sockets.size === 0) return null
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // Other people's processes do not show their files.
    const files = await readdir(`/proc/${pid}/fd`).catch(() => [])
    const links = files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => ''))
    if ((await Promise.all(links)).some((target) => sockets.has(target))) {
      const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'unknown')
      return { pid: Number(pid), name: name.trim() }
    }
  }
  return null
}

/** `socket:[inode]` of each socket in a `/proc/net/tcp` table that listens on the port. Pure. */
export function listeningSockets(table: string, port: number): string[] {
  return table.split('\n').flatMap((line) => {
    // "0: 0100007F:1F54 00000000:0000 0A ...": the fields are slot, local, remote, state (0A listens), ..., inode.
    const fields = line.trim().split(/\s+/)
    const localPort = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)
    return localPort === port && fields[3] === '0A' && fields[9] !== undefined
      ? [`socket:[${fields[9]}]`]
      : []
  })
}
