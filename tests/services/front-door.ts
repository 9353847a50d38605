import { Agent, createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type FunctionName, routeOf } from '#shared/runtime/routes.ts'

/** What stands in front of the functions, as HAProxy and the gateway do: public paths go to the function that answers them. */
export const openFrontDoor = (addressOf: (name: FunctionName) => string): Promise<{ url: string; close(): Promise<void> }> => {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((message, response) => {
    const route = routeOf((message.url ?? '/').split('?')[0]!)
    if (route === undefined || route === 'health' || route === 'backups') {
      response.writeHead(404).end()
      return
    }
    const [host, port] = addressOf(route).split(':')
    const inner = httpRequest({ host, port, path: message.url, method: message.method, headers: message.headers, agent })
    inner.on('response', (reply) => {
      response.writeHead(reply.statusCode!, reply.headers)
      reply.pipe(response)
      reply.on('error', () => response.destroy())
    })
    // Nobody there, or gone in the middle: the gateway's 502.
    inner.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
    response.on('close', () => inner.destroy())
    message.pipe(inner)
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      const close = () =>
        new Promise<void>((done) => {
          agent.destroy()
          server.closeAllConnections()
          server.close(() => done())
        })
      resolve({ url: `http://127.0.0.1:${port}`, close })
    })
  })
}
