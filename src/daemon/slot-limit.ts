/** How many requests the engine is given at once: as many as it has slots, or one while memory is tight. */

export interface SlotLimit {
  /** What the present or next run has; null: it does not tell. */
  setSlots(slots: number | null): void
  setOneAtATime(isLimited: boolean): void
}

export function createSlotLimit(apply: (slots: number | null) => void): SlotLimit {
  let slots: number | null = null
  let isLimited = false
  const tell = (): void => apply(isLimited ? 1 : slots)
  return {
    setSlots: (now) => {
      slots = now
      tell()
    },
    setOneAtATime: (now) => {
      if (now === isLimited) return
      isLimited = now
      tell()
    },
  }
}
