/** The real Context of this process. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolvePaths } from '../config/paths.ts'
import type { Context } from './command.ts'

/** The package's own folder: two up from src/cli or dist/cli. */
const root = fileURLToPath(new URL('../..', import.meta.url))

export function createContext(global: Pick<Context, 'json' | 'configFile' | 'flags'>): Context {
  const { env, stdout, stderr } = process
  const paths = resolvePaths(process.platform, homedir(), env)
  const named = global.configFile ?? env['OSS20BD_CONFIG'] ?? ''
  const configFile = named === '' ? null : resolve(named)
  return { ...global, configFile, env, paths, root, stdout, stderr }
}

/** The version in package.json. */
export function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return known ? String(manifest.version) : 'unknown'
}
