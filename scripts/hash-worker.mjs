/**
 * A thread that computes the SHA-256 of a file that is still growing. Plain JavaScript, because a thread
 * is started from a file and the sources are TypeScript.
 *
 * workerData: the path. Messages in: { to } the file is good up to there, { end: true } no more comes.
 * Messages out: { hashed } so far, { sha256 } at the end.
 */
/* oxlint-disable unicorn/require-post-message-target-origin -- threads have no origin */
import { createHash } from 'node:crypto'
import { openSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

// Stays in the processor's cache between reading and hashing: 1 MiB was slower by a tenth.
const PIECE_BYTES = 64 * 1024
/** How often it tells how far it is. */
const REPORT_BYTES = 32 * 2 ** 20

const file = openSync(workerData, 'r')
const piece = Buffer.allocUnsafe(PIECE_BYTES)
const hash = createHash('sha256')
let hashed = 0

parentPort.on('message', ({ to, end }) => {
  if (end) parentPort.postMessage({ sha256: hash.digest('hex') })
  else readTo(to)
})

function readTo(to) {
  let reported = hashed
  while (hashed < to) {
    const bytes = readSync(file, piece, 0, Math.min(PIECE_BYTES, to - hashed), hashed)
    if (bytes === 0) throw new Error(`${workerData} became shorter while it was read`)
    hash.update(piece.subarray(0, bytes))
    hashed += bytes
    if (hashed - reported >= REPORT_BYTES) {
      reported = hashed
      parentPort.postMessage({ hashed })
    }
  }
  parentPort.postMessage({ hashed })
}
