/** The answer to a request that was kept for a daemon that did not come. Pure. */

const error = {
  message:
    'Cannot answer: oss20bd was being restarted, and did not come up again; to see why, run: oss20bd doctor',
  type: 'unavailable_error',
  code: 'restart_failed',
  src: 'oss20bd',
}

export function unavailableAnswer(): string {
  const body = JSON.stringify({ error })
  return [
    'HTTP/1.1 503 Service Unavailable',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Retry-After: 10',
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
