import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { findPortHolder } from '../../src/port-holder.ts'

it('finds the process that listens on a port, and nobody once it has stopped', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  expect(await findPortHolder(port)).toMatchObject({ pid: process.pid })
  server.close()
  await once(server, 'close')
  expect(await findPortHolder(port)).toBeNull()
})
