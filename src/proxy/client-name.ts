/** A name for the app behind a request, for people and for a fair queue. Pure. */
import type { IncomingMessage } from 'node:http'

/**
 * The name of its token; else the product that it names itself by (`OpenAI/JS 6.1` is `OpenAI/JS`), with
 * the address where that is not this machine.
 */
export function clientNameOf(
  {
    headers,
    socket,
  }: Pick<IncomingMessage, 'headers'> & {
    readonly socket: { readonly remoteAddress?: string | undefined }
  },
  tokenName: string | null,
): string {
  if (tokenName !== null) return tokenName
  const product = /^[\w.+/-]{1,40}/.exec(headers['user-agent'] ?? '')?.[0] ?? 'unnamed app'
  const address = socket.remoteAddress ?? ''
  const isHere = address === '' || address === '::1' || /^(?:::ffff:)?127\./.test(address)
  return isHere ? product : `${product} at ${address}`
}
