import { expect, it, test } from 'vitest'
import { listeningSockets, pickHolder } from '../../src/port-holder.ts'

const connection = { localPort: '8020', state: 'LISTEN', pid: 7, process: 'node' }

it('names who listens on the port', () => {
  const client = { ...connection, state: 'ESTABLISHED', pid: 6, process: 'curl' }
  expect(pickHolder([client, connection], 8020)).toEqual({ pid: 7, name: 'node' })
})

test.each([
  ['another port', { ...connection, localPort: '80200' }],
  ['an open connection', { ...connection, state: 'ESTABLISHED' }],
  ['a process that the system does not tell', { ...connection, pid: 0 }],
  ['a pid that could not be read', { ...connection, pid: Number.NaN }],
])('takes nobody for %s', (_what, other) => {
  expect(pickHolder([other], 8020)).toBeNull()
})

it('reads which sockets listen from the table of the kernel', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F54 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F54 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:1F55 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100 0 0 10 0
   3: 0100007F:1F54 cut
`
  expect(listeningSockets(table, 8020)).toEqual(['socket:[4711]'])
  expect(listeningSockets('', 8020)).toEqual([])
})
