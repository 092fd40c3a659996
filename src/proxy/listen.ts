/** Binds the public port, or says who has it. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { errnoOf, messageOf, Oss20bdError } from '../errors.ts'

/** The process that listens on a port, or `null` when the OS does not tell. */
export type FindPortHolder = (port: number) => Promise<{ pid: number; name: string } | null>

/**
 * Resolves to the URL of the port (`port` 0 takes a free one). While `isComing` says so, a port that is taken is
 * tried again at once: whoever has it lets go of it in this moment.
 * Throws `port-taken`, or `config-invalid` for an address that cannot be listened on.
 */
export async function listenOn(
  server: Server,
  address: { readonly host: string; readonly port: number },
  findPortHolder: FindPortHolder,
  isComing: () => boolean = () => false,
): Promise<{ url: string }> {
  const host = address.host.replace(/^\[(.*)\]$/, '$1')
  for (;;) {
    try {
      server.listen({ host, port: address.port })
      await once(server, 'listening')
      break
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE' || !isComing()) {
        throw await explain(error, address, findPortHolder)
      }
      await nextTurn()
    }
  }
  const bound = server.address()
  const port = bound === null || typeof bound === 'string' ? address.port : bound.port
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` }
}

async function explain(
  fault: unknown,
  { host, port }: { readonly host: string; readonly port: number },
  findPortHolder: FindPortHolder,
): Promise<unknown> {
  const errno = errnoOf(fault) ?? ''
  if (errno === 'EADDRINUSE') return portTaken(port, await holderOf(port, findPortHolder), fault)
  if (errno === 'EACCES') {
    return new Oss20bdError(
      'config-invalid',
      `Cannot listen on port ${port}: no permission, ports below 1024 are for the administrator`,
      { hint: 'Set proxy.port to 1024 or above', cause: fault },
    )
  }
  if (['EADDRNOTAVAIL', 'ENOTFOUND', 'EAFNOSUPPORT'].includes(errno)) {
    return new Oss20bdError(
      'config-invalid',
      `Cannot listen on ${host}: ${messageOf(fault)}, it must be an address of this machine`,
      { hint: 'Set proxy.host to 127.0.0.1', cause: fault },
    )
  }
  return fault
}

type Holder = Awaited<ReturnType<FindPortHolder>>

/** Knowing the holder is a help only: not finding it must not hide the fault itself. */
async function holderOf(port: number, findPortHolder: FindPortHolder): Promise<Holder> {
  try {
    return await findPortHolder(port)
  } catch {
    return null
  }
}

function portTaken(port: number, holder: Holder, cause: unknown): Oss20bdError {
  const by = holder === null ? 'another process' : `${holder.name} (pid ${holder.pid})`
  return new Oss20bdError('port-taken', `Cannot listen on port ${port}: ${by} has it`, {
    hint: `Stop ${holder === null ? 'that process' : holder.name}, or set proxy.port to a free port`,
    cause,
  })
}
