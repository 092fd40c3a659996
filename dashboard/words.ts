/** Numbers and times for a person. Unknown is a dash, never 0. Pure. */

const UNKNOWN = '–'
const GIB = 2 ** 30
const MIB = 2 ** 20

export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN
  return value >= GIB ? `${(value / GIB).toFixed(1)} GiB` : `${(value / MIB).toFixed(0)} MiB`
}

export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

export function count(value: number | null): string {
  return value === null ? UNKNOWN : value.toLocaleString('en')
}

export function perSecond(value: number | null): string {
  return value === null ? UNKNOWN : `${value.toFixed(1)} tokens/s`
}

export function percent(value: number | null): string {
  if (value === null) return UNKNOWN
  return value > 0 && value < 0.01 ? 'under 1 %' : `${Math.round(value * 100)} %`
}

/** `17:03:09`, in local time. */
export function clockTime(atMs: number): string {
  const at = new Date(atMs)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':')
}

/** The same with the day, unless it is today. */
export function dayTime(atMs: number, nowMs: number): string {
  const [at, now] = [new Date(atMs), new Date(nowMs)]
  const isToday = at.toDateString() === now.toDateString()
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(twoDigits).join('-')
  return isToday ? clockTime(atMs) : `${day} ${clockTime(atMs)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
