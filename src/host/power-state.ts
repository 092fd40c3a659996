/** What slows the whole machine down on purpose: a mode that saves power, and heat. */
import type { RunTool } from '../run-tool.ts'

/** null = the system does not tell. */
export interface PowerState {
  readonly saving: PowerSaving | null
  readonly heat: Heat | null
}

export interface PowerSaving {
  readonly isOn: boolean
  /** The setting that says so: `lowpowermode`, `powermode`, `platform_profile`. */
  readonly setting: string
}

export interface Heat {
  readonly isSlowed: boolean
  /** `CPU_Speed_Limit = 70`. */
  readonly seen: string
}

export interface PowerDoors {
  readonly runTool: RunTool
  /** Rejects as `readFile` does. */
  readonly readText: (path: string) => Promise<string>
}

const deadlineMs = 5000
const linuxProfile = '/sys/firmware/acpi/platform_profile'

/** Never rejects. */
export async function readPowerState(
  platform: NodeJS.Platform,
  { runTool, readText }: PowerDoors,
): Promise<PowerState> {
  if (platform !== 'darwin') {
    const profile = await readText(linuxProfile).catch(() => '')
    // The kernels of PCs tell heat in as many ways as there are makers.
    return { saving: parsePlatformProfile(profile), heat: null }
  }
  const ask = async (...args: readonly string[]): Promise<string> => {
    const result = await runTool('pmset', args, { deadlineMs })
    return result.kind === 'ended' ? result.stdout : ''
  }
  // One after the other: no tool runs twice at once.
  const settings = await ask('-g')
  const heat = await ask('-g', 'therm')
  return { saving: parsePowerSettings(settings), heat: parseHeat(heat) }
}

/**
 * What `pmset -g` prints of the settings in use: `lowpowermode` is 0 or 1, and `powermode`, in its place on Macs
 * that have a high power mode too, 0 automatic, 1 low, 2 high. `pmset -g custom` lists both sources of power, of
 * which one is not in use: nothing is taken from there. Pure.
 */
export function parsePowerSettings(text: string): PowerSaving | null {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => /^currently in use:/i.test(line))
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => /^(?:Battery|AC|UPS) Power:/.test(line))
  const found = (end === -1 ? rest : rest.slice(0, end)).flatMap((line) => {
    const [, setting, value] = /^\s+(lowpowermode|powermode)\s+(\d+)\s*$/.exec(line) ?? []
    return setting === undefined ? [] : [{ setting, isOn: value === '1' }]
  })
  return found.find(({ isOn }) => isOn) ?? found[0] ?? null
}

/**
 * What `pmset -g therm` prints: a note for each of three things that was never recorded, or its number. Levels are 0
 * when all is well, limits 100. Pure.
 */
export function parseHeat(text: string): Heat | null {
  if (/^\s*Error/m.test(text)) return null
  const numbers = [
    ...text.matchAll(/((?:Thermal|Performance) Warning Level|\w+_Limit)\s*=\s*(\d+)/gi),
  ].map(([, name = '', value = '']) => {
    const isSlowed = name.endsWith('_Limit') ? Number(value) < 100 : Number(value) > 0
    return { isSlowed, seen: `${name} = ${value}` }
  })
  const slowed = numbers.find(({ isSlowed }) => isSlowed)
  if (slowed !== undefined) return slowed
  const note = /^Note: (No thermal warning level has been recorded)/m.exec(text)?.[1]
  return numbers[0] ?? (note === undefined ? null : { isSlowed: false, seen: note })
}

/** What Linux calls the profile that a laptop's firmware is in. Pure. */
export function parsePlatformProfile(text: string): PowerSaving | null {
  const profile = text.trim()
  if (profile === '') return null
  const isOn = profile === 'low-power' || profile === 'quiet'
  return { isOn, setting: 'platform_profile' }
}
