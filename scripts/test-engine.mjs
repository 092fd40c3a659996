/** Gives tests and measurements a compiled llama-server, apart from the engines of the user. */
import fs from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { orExplain, root, runStep } from './bootstrap.mjs'
import { createProgress } from './progress.mjs'

/**
 * Resolves to the environment with OSS20BD_TEST_ENGINE set to an engine folder, which is compiled
 * first if need be; one that is set already is taken as it is.
 * @param {{ step: number, steps: number }} place of this step in the whole
 */
export async function withTestEngine({ step, steps }) {
  const given = process.env.OSS20BD_TEST_ENGINE
  if (given && fs.existsSync(path.join(given, 'bin', 'llama-server'))) return process.env
  const folder = await orExplain(() => buildTestEngine({ step, steps }))
  return { ...process.env, OSS20BD_TEST_ENGINE: folder }
}

async function buildTestEngine({ step, steps }) {
  const { resolvePaths } = await import('../dist/config/paths.js')
  const { cache } = resolvePaths(process.platform, homedir(), process.env)
  let progress
  let folder
  await runStep({
    command: path.join(root, 'scripts', 'build-llama.sh'),
    args: ['--progress', '--prefix', path.join(cache, 'test-engines')],
    failure: 'Cannot compile llama-server',
    progress: () => progress,
    onLine: (line) => {
      const [, percent, note] = /^progress (\d+) (.*)/.exec(line) ?? []
      if (line.startsWith('engine ')) folder = line.slice('engine '.length)
      if (percent === undefined) return folder !== undefined
      if (Number(percent) < 100)
        progress ??= createProgress({ step, steps, title: 'Compile llama-server' })
      progress?.update(Number(percent) / 100, note)
      return true
    },
  })
  progress?.done()
  return folder
}
