/** Sends one request and keeps all that comes back, however it ends. */
import http from 'node:http'

/** A request that takes longer is lost: the longest hold and a hang are over well before. */
const LOST_AFTER_MS = 120_000

/**
 * `target` is `{ host, port }` or `{ socketPath }`. `onBytes` gets each piece of the body of an answer with
 * status 200, `onHead` is called before. Resolves to `{ status, ended, body, tookMs, silenceMs }`, never
 * rejects: `ended` is `end` when the answer ended as HTTP wants it.
 */
export function ask({ target, agent = false, path, body, onHead = noop, onBytes = noop }) {
  return new Promise((resolve) => {
    const startedMs = performance.now()
    const pieces = []
    let status = null
    let silenceMs = 0
    let lastMs = startedMs
    const finish = (ended) => {
      clearTimeout(timer)
      resolve({
        status,
        ended,
        body: Buffer.concat(pieces),
        tookMs: performance.now() - startedMs,
        silenceMs,
      })
    }
    const headers = { 'content-type': 'application/json' }
    const request = http.request({ ...target, agent, path, method: 'POST', headers })
    const timer = setTimeout(() => {
      finish('timeout')
      request.destroy()
    }, LOST_AFTER_MS)
    request.on('error', (error) => finish(error.message))
    request.on('response', (response) => {
      status = response.statusCode
      onHead()
      response.on('data', (bytes) => {
        silenceMs = Math.max(silenceMs, performance.now() - lastMs)
        lastMs = performance.now()
        pieces.push(bytes)
        onBytes(bytes)
      })
      response.on('end', () => finish('end'))
      response.on('error', (error) => finish(error.message))
    })
    request.end(JSON.stringify(body))
  })
}

function noop() {}
