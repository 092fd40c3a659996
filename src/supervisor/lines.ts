/** Cuts a stream of bytes into lines of bounded length, so that no output can fill the memory. */
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** The longest line kept; the rest of a longer one is dropped. In UTF-16 code units. */
export const maxLineLength = 16 * 1024

/**
 * Calls `onLine` for each line of `stream`, without its end, as soon as it is there; the stream is
 * always drained. Returns at once. Broken UTF-8 becomes U+FFFD.
 */
export function onEachLine(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let pending = ''
  let skipping = false

  const take = (text: string): void => {
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      if (!skipping) onLine((pending + text.slice(from, end)).slice(0, maxLineLength))
      pending = ''
      skipping = false
      from = end + 1
    }
    if (skipping) return
    pending += text.slice(from)
    if (pending.length >= maxLineLength) {
      onLine(pending.slice(0, maxLineLength))
      pending = ''
      skipping = true
    }
  }

  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
  stream.on('end', () => {
    if (pending !== '') onLine(pending)
    pending = ''
  })
  // The exit of the process tells the story; a broken pipe by itself adds nothing.
  stream.on('error', () => undefined)
}
