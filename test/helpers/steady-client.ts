/** An app that asks again and again, with a new connection each time, and remembers how it went. */
import http from 'node:http'
import { messageOf } from '../../src/errors.ts'

export interface SteadyClient {
  /** How many requests have their answer. */
  readonly answered: number
  /** Resolves after so many answers more. */
  more(count: number): Promise<void>
  /** Asks no more; every answer that was not 200, and the longest wait. */
  end(): Promise<{ readonly failures: readonly string[]; readonly longestMs: number }>
}

export function startSteadyClient(url: string): SteadyClient {
  const failures: string[] = []
  const waiters: { readonly at: number; readonly wake: () => void }[] = []
  let answered = 0
  let longestMs = 0
  const over = new AbortController()
  const ask = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const startedMs = performance.now()
      const outcome = await askOnce(`${url}/v1/chat/completions`).catch(messageOf)
      if (outcome !== 200) failures.push(String(outcome))
      longestMs = Math.max(longestMs, performance.now() - startedMs)
      answered += 1
      for (const { at, wake } of waiters) if (answered >= at) wake()
    }
  }
  const asking = ask()
  return {
    get answered() {
      return answered
    },
    more: (count) =>
      new Promise((wake) => {
        waiters.push({ at: answered + count, wake })
      }),
    end: async () => {
      over.abort()
      await asking
      return { failures, longestMs }
    },
  }
}

function askOnce(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const request = http.request(url, { method: 'POST', agent: false, headers }, (response) => {
      response.on('error', reject)
      response.on('end', () => resolve(response.statusCode))
      response.resume()
    })
    request.on('error', reject)
    request.end(
      JSON.stringify({ model: 'gpt-oss-20b', messages: [{ role: 'user', content: 'hi' }] }),
    )
  })
}
