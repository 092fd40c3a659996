/** Whether this is a Mac itself, and whether Node runs on it untranslated. */
import type { RunTool } from '../run-tool.ts'

/** null = not told. */
export interface MachineKind {
  readonly isVirtual: boolean | null
  /** The programs here are those for Intel, translated by Rosetta: what is compiled is for Intel too. */
  readonly isTranslated: boolean | null
}

const VIRTUAL = 'kern.hv_vmm_present'
const TRANSLATED = 'sysctl.proc_translated'
const deadlineMs = 5000

/** Never rejects. Linux is not asked: nothing follows from it there. */
export async function readMachineKind(
  platform: NodeJS.Platform,
  { runTool }: { readonly runTool: RunTool },
): Promise<MachineKind> {
  if (platform !== 'darwin') return { isVirtual: null, isTranslated: null }
  // A key that is not there is a line on stderr; the other is printed all the same.
  const result = await runTool('sysctl', [VIRTUAL, TRANSLATED], { deadlineMs })
  return parseMachineKind(result.kind === 'ended' ? result.stdout : '')
}

/** Pure. */
export function parseMachineKind(text: string): MachineKind {
  const flag = (key: string): boolean | null => {
    const line = text.split('\n').find((each) => each.startsWith(`${key}: `))
    const value = line?.slice(key.length + 2).trim()
    return value === '0' || value === '1' ? value === '1' : null
  }
  return { isVirtual: flag(VIRTUAL), isTranslated: flag(TRANSLATED) }
}
