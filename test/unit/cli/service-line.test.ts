import { expect, test } from 'vitest'
import { type InstalledService, serviceLine } from '../../../src/cli/service-line.ts'

const installed: InstalledService = {
  kind: 'launchd',
  scope: 'user',
  program: '0.1.0-1f2e3d4c5b6a',
}

test.for([
  [{}, '0.1.0', 'launchd, from login on (0.1.0)'],
  [{ kind: 'systemd', scope: 'system' }, '0.1.0', 'systemd, from boot on (0.1.0)'],
  [{}, null, 'launchd, from login on (0.1.0), does not run; see: oss20bd doctor'],
  [{}, '0.0.9', 'launchd, from login on (0.1.0), while the daemon is 0.0.9; see: oss20bd doctor'],
  [{ program: null }, '0.1.0', 'launchd, from login on, incomplete; mend it: oss20bd install'],
] as const)('%j beside a daemon %s: %s', ([changes, daemon, line]) => {
  expect(serviceLine({ ...installed, ...changes }, daemon)).toBe(line)
})
