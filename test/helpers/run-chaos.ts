/** `npm run chaos` in short, for tests. */
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const chaosFile = fileURLToPath(new URL('../../bench/chaos.mjs', import.meta.url))
/** The whole takes a third of it on an idle machine. */
const withinMs = 110_000

/** All that it prints, whatever comes of it. */
export async function runChaos(...args: readonly string[]): Promise<string> {
  const { all } = await execa(process.execPath, [chaosFile, ...args], {
    all: true,
    reject: false,
    timeout: withinMs,
  })
  return all
}
