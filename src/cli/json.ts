/** JSON of others, looked at without trust. Pure. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** The value of a JSON text, or undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch {
    return undefined
  }
}

/** What `value` holds under these names, or undefined. */
export function field(value: unknown, ...names: readonly string[]): unknown {
  let found = value
  for (const name of names) found = isRecord(found) ? found[name] : undefined
  return found
}
