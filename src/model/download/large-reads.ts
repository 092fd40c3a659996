/** Agents whose connections read as much at once as has arrived: Node's own read 64 KiB at most. */
import { Agent as HttpAgent, type ClientRequestArgs } from 'node:http'
import { Agent as HttpsAgent, type RequestOptions } from 'node:https'
import type { OnReadOpts } from 'node:net'
import type { Duplex } from 'node:stream'

type Connected = (error: Error | null, stream: Duplex) => void
type MaybeStream = Duplex | null | undefined

/** Of each connection. Four times less took half as much time again; more brings nothing. */
const READ_BYTES = 2 ** 20

export class LargeReadHttpAgent extends HttpAgent {
  override createConnection(options: ClientRequestArgs, connected?: Connected): MaybeStream {
    return withLargeReads((read) => super.createConnection({ ...options, ...read }, connected))
  }
}

export class LargeReadHttpsAgent extends HttpsAgent {
  override createConnection(options: RequestOptions, connected?: Connected): MaybeStream {
    return withLargeReads((read) => super.createConnection({ ...options, ...read }, connected))
  }
}

/** The stream gives what it reads as it always does; only the reading itself is into memory of ours. */
function withLargeReads(open: (read: { readonly onread: OnReadOpts }) => MaybeStream): MaybeStream {
  let memory = Buffer.allocUnsafeSlow(READ_BYTES)
  const stream = open({
    onread: {
      buffer: () => memory,
      callback: (bytes) => {
        const goesOn = stream?.push(memory.subarray(0, bytes)) ?? false
        // node:http copies what it takes, at once. What still waits in the stream must not be read over.
        if (stream?.readableLength !== 0) memory = Buffer.allocUnsafeSlow(READ_BYTES)
        return goesOn
      },
    },
  })
  return stream
}
