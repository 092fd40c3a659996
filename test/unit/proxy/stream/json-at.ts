/** Reads a place in JSON of which nothing is known. */

export function at(json: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => {
    if (typeof value !== 'object' || value === null) return undefined
    return new Map<string, unknown>(Object.entries(value)).get(String(key))
  }, json)
}

export function text(json: unknown, ...path: (string | number)[]): string {
  const value = at(json, ...path)
  return typeof value === 'string' ? value : ''
}

export function number(json: unknown, ...path: (string | number)[]): number {
  const value = at(json, ...path)
  if (typeof value !== 'number') throw new Error(`${path.join('.')} is no number`)
  return value
}

export function list(json: unknown, ...path: (string | number)[]): unknown[] {
  const value = at(json, ...path)
  return Array.isArray(value) ? value : []
}
