/** `/proc/pressure/memory`: how much of the time tasks waited for memory. Pure. */

/** The share of the last 10 s in which at least one task waited, 0 to 100. */
export function parseStalls(text: string): number | null {
  const share = /^some avg10=(\d+\.\d+) /m.exec(text)?.[1]
  return share === undefined || Number(share) > 100 ? null : Number(share)
}
