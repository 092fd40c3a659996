/** Where readings come from: a model of a Mac that reacts to the engine, or a recording. */
import { GIB } from './units.mjs'

const TOTAL_BYTES = 32 * GIB
const SYSTEM_BYTES = 4 * GIB
/** What does not fit beside this much free memory is swapped out. */
const FREE_FLOOR_BYTES = 1.2 * GIB
const DISK_BYTES_PER_SECOND = 400 * 2 ** 20

/** A reading of which nothing is known. */
export const UNKNOWN = {
  atMs: 0,
  unknown: {},
  totalBytes: null,
  availableBytes: null,
  freePercent: null,
  pressure: null,
  stalledPercent: null,
  swapUsedBytes: null,
  swapOutBytesPerSecond: null,
  swapInBytesPerSecond: null,
  compressorBytes: null,
  compressedBytesPerSecond: null,
  decompressedBytesPerSecond: null,
  compressorSegmentsShare: null,
  freeDiskBytes: null,
  footprintBytes: null,
  gpuUsedBytes: null,
  gpuLimitBytes: null,
  gpuUtilisation: null,
}

/**
 * A Mac with 32 GiB. What `world` says of a moment (`appsBytes`, `freeDiskBytes`, `swapOutBytesPerSecond`,
 * `pressure`) is so; the rest follows from what the apps and the engine take.
 */
export function createMac() {
  let swapUsedBytes = 0
  let pressure = 'normal'
  return {
    read(atMs, intervalMs, world, engine) {
      const footprint = engine.footprintBytes()
      const wanted = SYSTEM_BYTES + world.appsBytes + footprint
      const excess = Math.max(0, wanted - (TOTAL_BYTES - FREE_FLOOR_BYTES))
      const room = (DISK_BYTES_PER_SECOND * intervalMs) / 1000
      const swapped = Math.min(room, Math.max(0, excess - swapUsedBytes))
      swapUsedBytes = excess < swapUsedBytes ? excess : swapUsedBytes + swapped
      const availableBytes = Math.max(0.1 * GIB, TOTAL_BYTES - wanted + swapUsedBytes)
      pressure = pressureAfter(pressure, availableBytes / TOTAL_BYTES)
      return {
        ...UNKNOWN,
        atMs,
        totalBytes: TOTAL_BYTES,
        availableBytes,
        pressure: world.pressure ?? pressure,
        swapUsedBytes,
        swapOutBytesPerSecond: world.swapOutBytesPerSecond ?? (swapped / intervalMs) * 1000,
        freeDiskBytes: world.freeDiskBytes ?? 200 * GIB,
        footprintBytes: footprint === 0 ? null : footprint,
      }
    },
  }
}

/** Like the kernel's own level it has hysteresis. */
function pressureAfter(before, share) {
  if (share < 0.045 || (before === 'critical' && share < 0.06)) return 'critical'
  if (share < 0.1 || (before !== 'normal' && share < 0.13)) return 'warning'
  return 'normal'
}

/**
 * Readings as they were recorded. All that can be known of another course of things is that memory which
 * the engine had in the recording is free while it is unloaded here.
 */
export function createRecording(rows) {
  return {
    read(atMs, index, engine) {
      const row = { ...UNKNOWN, ...rows[index].reading, atMs }
      if (engine.footprintBytes() > 0 || row.footprintBytes === null) return row
      const { availableBytes, footprintBytes } = row
      return {
        ...row,
        availableBytes: availableBytes === null ? null : availableBytes + footprintBytes,
        footprintBytes: null,
      }
    },
  }
}

/** One JSON object a line: a MemoryReading, or `{ reading, idle }`. Throws, with the line, for anything else. */
export function parseRecording(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const rows = lines.map((line, index) => rowOf(line, index + 1))
  if (rows.length < 2) throw new Error('a recording needs two readings at least')
  return rows
}

function rowOf(line, number) {
  let row
  try {
    row = JSON.parse(line)
  } catch (error) {
    throw new Error(`line ${number} is not JSON: ${error.message}`, { cause: error })
  }
  const reading = row?.reading ?? row
  if (typeof reading?.atMs !== 'number') throw new Error(`line ${number} has no atMs`)
  return { reading, idle: row.idle ?? true }
}
