/** What the slots of the engine do, for those who watch. */
import { request } from 'node:http'
import type { EngineSlot } from '../../engine.ts'
import { readSlots } from '../../llama/slots.ts'

/** An engine that reads a long prompt answers only between two batches. */
const ANSWER_TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 1_048_576

/**
 * Gives what was told last, at once, and asks anew: whoever watches never waits for a busy engine, which is
 * never asked twice at a time. `socketPath`: null while none is ready.
 */
export function slotReader(socketPath: () => string | null): () => readonly EngineSlot[] | null {
  let known: readonly EngineSlot[] | null = null
  let isAsking = false
  const learn = async (path: string): Promise<void> => {
    const slots = await ask(path)
    isAsking = false
    known = slots
  }
  return () => {
    const path = socketPath()
    if (path === null) return (known = null)
    if (!isAsking) {
      isAsking = true
      void learn(path)
    }
    return known
  }
}

/** null when it does not tell. Never rejects. */
function ask(socketPath: string): Promise<readonly EngineSlot[] | null> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const asked = request({ socketPath, path: '/slots', agent: false, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_ANSWER_BYTES) response.destroy()
      })
      response.once('close', () => {
        const slots = response.statusCode === 200 ? readSlots(text) : []
        resolve(slots.length === 0 ? null : slots)
      })
    })
    asked.once('error', () => resolve(null))
    asked.end()
  })
}
