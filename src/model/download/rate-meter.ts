/** How fast bytes come, over the last seconds. */

const WINDOW_MS = 10_000

export class RateMeter {
  #samples: { readonly atMs: number; readonly bytes: number }[] = []

  /** Notes the bytes so far at a moment, and gives bytes per second; 0 while that is not known. */
  rate(atMs: number, bytes: number): number {
    // A count that fell belongs to a download that began anew.
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = []
    this.#samples.push({ atMs, bytes })
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? atMs) <= atMs - WINDOW_MS) {
      this.#samples.shift()
    }
    const [first] = this.#samples
    if (first === undefined || first.atMs >= atMs) return 0
    return ((bytes - first.bytes) / (atMs - first.atMs)) * 1000
  }
}
