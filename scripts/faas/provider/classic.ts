import { spawn } from 'node:child_process'
import { createServer } from 'node:http'

/**
 * A function that is a command: run once per request, the body on its stdin, the reply its stdout, as OpenFaaS' classic watchdog does.
 * `node classic.ts HOST PORT`, the command in `fprocess`.
 */
const [host, port] = process.argv.slice(2)
const [command = 'true', ...args] = (process.env['fprocess'] ?? '').split(/\s+/)

/** `x-call-id` → `Http_X_Call_Id` */
const headerName = (name: string): string =>
  `Http_${name
    .split('-')
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join('_')}`

const server = createServer((request, response) => {
  if (request.url === '/_/health' || request.url === '/_/ready') {
    response.end('ok\n')
    return
  }
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const headers = Object.entries(request.headers).map(([name, value]) => [headerName(name), String(value)])
  const env = { ...process.env, ...Object.fromEntries(headers), Http_Method: request.method ?? '', Http_Path: path, Http_Query: query }
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const said: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => said.push(part))
  child.stdin.on('error', () => undefined) // it need not read what it is given
  child.once('error', (error) => response.writeHead(500).end(`${error.message}\n`))
  child.once('close', (code) => {
    if (response.headersSent) return
    const body = Buffer.concat(said)
    response.writeHead(code === 0 ? 200 : 500, { 'content-length': body.length }).end(body)
  })
  request.pipe(child.stdin)
})
// Longer than what is in front keeps a connection idle.
server.keepAliveTimeout = 120_000
server.listen(Number(port), host)
process.once('SIGTERM', () => server.close(() => process.exit(0)))
