/** A home of a test's own for the commands around model files. */
import type { Command, Context } from '../../src/cli/command.ts'
import { resolvePaths } from '../../src/config/paths.ts'
import type { TempDir } from './temp-dir.ts'

export function makeHome(dir: TempDir, env: Record<string, string> = {}, json = false) {
  const all = { OSS20BD_HOME: dir.path, OSS20BD_CACHE: dir.file('cache'), ...env }
  const paths = resolvePaths(process.platform, dir.path, all)
  const said: string[] = []
  const told: string[] = []
  const context: Context = {
    json,
    configFile: null,
    flags: {},
    env: all,
    paths,
    root: dir.file('root'),
    stdout: { write: (text) => void told.push(text) },
    stderr: { write: (text) => void said.push(text) },
  }
  const run = (command: Command, args: Record<string, unknown> = {}) =>
    command.run({ connections: 2, force: false, ...args }, context)
  return { run, said, told, context, shelf: (name: string) => dir.file('models', name) }
}
