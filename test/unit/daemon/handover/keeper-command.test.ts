import { expect, test } from 'vitest'
import { keeperCommand } from '../../../../src/daemon/handover/hand-over.ts'

const orders = { socketPath: '/run/port.sock', limitMs: 1000, maxConnections: 10 }

test('the keeper is a Node of its own', () => {
  const [file, script, argument] = keeperCommand(orders, {})
  expect([file, JSON.parse(argument ?? '')]).toEqual([process.execPath, orders])
  expect(script).toMatch(/keeper-main\.js$/)
})

test('under systemd it has a unit of its own: all that is left of the old service is ended', () => {
  const command = keeperCommand(orders, { NOTIFY_SOCKET: '/run/notify' })
  expect(command.slice(0, 5)).toEqual(['systemd-run', '--user', '--scope', '--quiet', '--collect'])
  expect(command.slice(5)).toEqual(keeperCommand(orders, {}))
})
