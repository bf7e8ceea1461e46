import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A webhook in a process of its own that reads the body and answers 200, so that
 * what it costs is the same for whoever posts. Tells its port, then its count.
 */
let received = 0
const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    received++
    response.end()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.on('message', () => process.send?.({ received }))
process.once('disconnect', () => process.exit(0))
process.send?.({ port: (server.address() as AddressInfo).port })
