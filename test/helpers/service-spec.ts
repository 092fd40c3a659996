/** What a user of a Mac would install. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { launchd } from '../../src/service/launchd.ts'
import type { ServiceSpec } from '../../src/service/service.ts'

const file = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const template = await readFile(file(launchd.templateFile), 'utf8')
const shim = await readFile(file('launchd/oss20bd'), 'utf8')

export function macSpec(changes: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    scope: 'user',
    user: { name: 'ada', uid: 501, home: '/Users/ada' },
    folders: {
      home: '/Users/ada/Library/Application Support/oss20bd',
      logs: '/Users/ada/Library/Logs/oss20bd',
    },
    node: '/opt/homebrew/bin/node',
    program: { from: '/opt/homebrew/lib/node_modules/oss20bd', name: '0.1.0-abc' },
    daemonArgs: [],
    environment: { PATH: '/opt/homebrew/bin:/usr/bin:/bin', HOME: '/Users/ada', LANG: 'C' },
    stopLimitMs: 42_000,
    template,
    shim,
    ...changes,
  }
}
