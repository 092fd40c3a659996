/** The process that keeps the port: given it and its connections by the daemon that ends, which starts it. */
import { Server, Socket } from 'node:net'
import { systemClock } from '../../clock.ts'
import { PortKeeper } from './keep-port.ts'
import type { FromKeeper, KeeperOrders, ToKeeper } from './keeper-messages.ts'

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- hand-over.ts of this very version starts it
const orders = JSON.parse(process.argv[2] ?? '{}') as KeeperOrders
const keeper = new PortKeeper({ ...orders, clock: systemClock })

process.on('message', (message: ToKeeper, handle) => {
  if (message.kind === 'listener' && handle instanceof Server) {
    handle.maxConnections = orders.maxConnections
    keeper.keep(handle)
    tell('accepting')
  } else if (message.kind === 'connection') {
    // One whose client left on the way comes without a handle.
    if (handle instanceof Socket) keeper.adopt(handle, message.sent)
    tell('has')
  } else if (message.kind === 'all') tell('has-all')
})
process.once('SIGTERM', () => keeper.giveUp())
await keeper.listen()
tell('up')

function tell(message: FromKeeper): void {
  process.send?.(message, undefined, {}, () => undefined)
}
