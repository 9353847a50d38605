import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What an embedded server is measured against: bare node:http that reads the same body and answers as many bytes, and does nothing. */
const reply = '{"accepted":1,"refused":[]}'
const server = createServer((request, response) => {
  request.on('data', () => undefined)
  request.on('end', () => {
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': reply.length })
    response.end(reply)
  })
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
