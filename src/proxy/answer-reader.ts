/** Reads the engine's HTTP/1.1 answers out of the bytes of a connection, however they are cut. Pure. */
import { type AnswerHead, type Framing, parseHead } from './answer-head.ts'

export type AnswerPart =
  | { readonly kind: 'head'; readonly head: AnswerHead }
  | { readonly kind: 'body'; readonly bytes: Buffer }
  /** `isExact`: nothing lay behind it, so that the connection is in step. */
  | { readonly kind: 'end'; readonly isExact: boolean }
  /** The rest cannot be trusted: an answer we are not sure of is no answer. */
  | { readonly kind: 'broken'; readonly reason: string }

export interface AnswerReader {
  /** What these bytes complete. After `end` or `broken` nothing more comes. */
  read(bytes: Buffer): AnswerPart[]
  /** The engine has closed its side. */
  readEnd(): AnswerPart[]
}

/** Generous for the few headers of an engine, and small enough that a mad one cannot fill our memory. */
export const MAX_HEAD_BYTES = 64 * 1024

/** Room for a size and an extension nobody uses. */
const MAX_SIZE_LINE_BYTES = 1024

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
const [CR, LF] = LINE_END

interface Reading {
  readonly method: string
  step: Step
  /** Bytes that say nothing before more have come. */
  kept: Buffer | null
  /** What is missing of the body or of the chunk. */
  leftBytes: number
  trailerBytes: number
  parts: AnswerPart[]
}

/** Reads one thing; returns the bytes behind it, or `null` to wait for more. */
type Step = (reading: Reading, bytes: Buffer) => Buffer | null

/** For the answer to one request with this method. Interim answers (1xx) are passed over. */
export function createAnswerReader(method: string): AnswerReader {
  const reading: Reading = {
    method,
    step: readHead,
    kept: null,
    leftBytes: 0,
    trailerBytes: 0,
    parts: [],
  }
  return { read: (bytes) => read(reading, bytes), readEnd: () => readEnd(reading) }
}

function read(reading: Reading, bytes: Buffer): AnswerPart[] {
  const { kept } = reading
  reading.parts = []
  reading.kept = null
  let rest: Buffer | null = kept === null ? bytes : Buffer.concat([kept, bytes])
  while (rest !== null && rest.length > 0) rest = reading.step(reading, rest)
  return reading.parts
}

function readEnd(reading: Reading): AnswerPart[] {
  const { step } = reading
  reading.parts = []
  if (step === readToClose) finish(reading, null)
  else if (step === readHead) broken(reading, 'it closed without an answer')
  else if (step !== readNothing) broken(reading, 'the answer was cut off')
  return reading.parts
}

function readHead(reading: Reading, bytes: Buffer): Buffer | null {
  const end = bytes.indexOf(HEAD_END)
  if (end === -1 && bytes.length < MAX_HEAD_BYTES) return keep(reading, bytes)
  if (end === -1 || end + HEAD_END.length > MAX_HEAD_BYTES) {
    return broken(reading, `the head of the answer has more than ${MAX_HEAD_BYTES} bytes`)
  }
  const head = parseHead(bytes.toString('latin1', 0, end), reading.method)
  if (typeof head === 'string') return broken(reading, head)
  const rest = bytes.subarray(end + HEAD_END.length)
  if (head.status < 200) return rest
  reading.parts.push({ kind: 'head', head })
  return beginBody(reading, head.framing, rest)
}

function beginBody(reading: Reading, framing: Framing, rest: Buffer): Buffer | null {
  switch (framing.kind) {
    case 'length':
      if (framing.bytes === 0) return finish(reading, rest)
      reading.leftBytes = framing.bytes
      reading.step = readKnown
      return rest
    case 'chunked':
      reading.step = readSize
      return rest
    case 'to-close':
      reading.step = readToClose
      return rest
  }
}

function readKnown(reading: Reading, bytes: Buffer): Buffer | null {
  const rest = readLeft(reading, bytes)
  return reading.leftBytes === 0 ? finish(reading, rest) : rest
}

function readToClose(reading: Reading, bytes: Buffer): null {
  reading.parts.push({ kind: 'body', bytes })
  return null
}

function readSize(reading: Reading, bytes: Buffer): Buffer | null {
  const end = bytes.indexOf(LINE_END)
  if (end === -1 && bytes.length < MAX_SIZE_LINE_BYTES) return keep(reading, bytes)
  const isLine = end !== -1 && end < MAX_SIZE_LINE_BYTES
  const sizeBytes = isLine ? parseSize(bytes.toString('latin1', 0, end)) : null
  if (sizeBytes === null) return broken(reading, 'a chunk of the answer has no readable size')
  reading.leftBytes = sizeBytes
  reading.step = sizeBytes === 0 ? readTrailer : readChunk
  return bytes.subarray(end + LINE_END.length)
}

function readChunk(reading: Reading, bytes: Buffer): Buffer | null {
  const rest = readLeft(reading, bytes)
  if (reading.leftBytes === 0) reading.step = readChunkEnd
  return rest
}

function readChunkEnd(reading: Reading, bytes: Buffer): Buffer | null {
  if (bytes.length === 1 && bytes[0] === CR) return keep(reading, bytes)
  if (bytes[0] !== CR || bytes[1] !== LF) {
    return broken(reading, 'a chunk of the answer is longer than its size')
  }
  reading.step = readSize
  return bytes.subarray(LINE_END.length)
}

/** Trailers are dropped: the client's head has long gone. */
function readTrailer(reading: Reading, bytes: Buffer): Buffer | null {
  const end = bytes.indexOf(LINE_END)
  const lineBytes = end === -1 ? bytes.length - 1 : end
  if (reading.trailerBytes + lineBytes > MAX_HEAD_BYTES) {
    return broken(reading, `the trailers of the answer have more than ${MAX_HEAD_BYTES} bytes`)
  }
  if (end === -1) return keep(reading, bytes)
  if (end === 0) return finish(reading, bytes.subarray(LINE_END.length))
  reading.trailerBytes += end + LINE_END.length
  return bytes.subarray(end + LINE_END.length)
}

function readNothing(): null {
  return null
}

function readLeft(reading: Reading, bytes: Buffer): Buffer {
  const some = bytes.subarray(0, reading.leftBytes)
  reading.leftBytes -= some.length
  reading.parts.push({ kind: 'body', bytes: some })
  return bytes.subarray(some.length)
}

function keep(reading: Reading, bytes: Buffer): null {
  reading.kept = bytes
  return null
}

/** `rest` is what came behind; `null` when nothing can, because the connection is over. */
function finish(reading: Reading, rest: Buffer | null): null {
  reading.step = readNothing
  reading.parts.push({ kind: 'end', isExact: rest !== null && rest.length === 0 })
  return null
}

function broken(reading: Reading, reason: string): null {
  reading.step = readNothing
  reading.parts.push({ kind: 'broken', reason })
  return null
}

function parseSize(line: string): number | null {
  const [, digits] = /^([0-9a-f]{1,13})[\t ]*(?:;.*)?$/i.exec(line) ?? []
  return digits === undefined ? null : Number.parseInt(digits, 16)
}
