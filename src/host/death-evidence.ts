/** Asks the operating system why a process of ours died. */
import { findDarwinEvidence } from './death-evidence-darwin.ts'
import { findLinuxEvidence } from './death-evidence-linux.ts'
import type { Death, DeathEvidence, EvidenceDeps } from './evidence.ts'

export type { Death, DeathEvidence, EvidenceDeps } from './evidence.ts'

/**
 * Looks for records of a death by a signal that nobody of ours sent. It takes up to 30 s (macOS: the
 * reports are written late; 20 s more for the log after SIGKILL) or 4 s (Linux), so it must not be
 * waited for before the next start. null when there is nothing to ask: an exit by its own will, an
 * unknown system, or aborted. Never rejects.
 */
export async function findDeathEvidence(
  death: Death,
  deps: EvidenceDeps,
): Promise<DeathEvidence | null> {
  if (death.signal === null) return null
  try {
    if (deps.platform === 'darwin') return await findDarwinEvidence(death, deps)
    if (deps.platform === 'linux') return await findLinuxEvidence(death, deps)
    return null
  } catch {
    // Aborted. And it only adds words to a death that is told anyway: a bug must not cost more.
    return null
  }
}
