/** Tells the engine's answer that its computation failed from every other answer. Pure; never throws. */

/** As it begins when it is cut, which only a whole answer of this kind does. */
const cutAnswer = /^\s*\{"error":\{"code":500,"message":"Compute error/

/**
 * `bodyStart` is the beginning of the answer, or one or more whole events of a stream. True for HTTP 500
 * whose error message starts with `Compute error`, and for such an error within a stream that began with
 * 200. What a model says is inside a JSON string of another field: it cannot look like this.
 */
export function isComputeError(status: number, bodyStart: string): boolean {
  if (status === 500) return cutAnswer.test(bodyStart) || saysComputeError(bodyStart)
  if (status !== 200 || !bodyStart.includes('Compute error')) return false
  // `/v1/messages` names the event and gives the error itself.
  return bodyStart.split(/(?:\r\n|\n|\r){2}/).some((event) => {
    const lines = event.split(/\r\n|\n|\r/)
    const data = lines.find((line) => line.startsWith('data:'))?.slice('data:'.length)
    if (data === undefined) return false
    return saysComputeError(data) || (lines.includes('event: error') && isIt(parse(data)))
  })
}

function saysComputeError(json: string): boolean {
  return isIt(fieldOf(parse(json), 'error'))
}

function isIt(error: unknown): boolean {
  const message = fieldOf(error, 'message')
  return typeof message === 'string' && message.startsWith('Compute error')
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return new Map<string, unknown>(Object.entries(value)).get(name)
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
