/** tmp */
export const command: never = undefined as never
