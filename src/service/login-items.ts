/** Reads what `sfltool dumpbtm` (as root) tells of the switches in Login Items. Pure. */

/** False when the switch is off, null when the text does not name the label. */
export function isAllowedInLoginItems(text: string, label: string): boolean | null {
  const item = text
    .split(/^ #\d+:$/m)
    .find((one) =>
      new RegExp(`^\\s*Identifier: (?:\\d+\\.)?${label.replaceAll('.', '\\.')}$`, 'm').test(one),
    )
  const words = /^\s*Disposition: \[(.*)\]/m.exec(item ?? '')?.[1]?.split(', ')
  if (words === undefined) return null
  return words.includes('enabled') && words.includes('allowed')
}
