// Answers calls that it makes to itself, each of which makes another call; tells how its heap grew. Run with --expose-gc.
import { Agent, createServer, request } from 'node:http'

const [count] = process.argv.slice(2).map(Number)
const agent = new Agent({ keepAlive: true, maxSockets: 16 })
const upstream = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
const call = (server, headers) =>
  new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: server.address().port, agent, headers }, (answer) => {
      answer.resume()
      answer.on('end', resolve)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
const server = createServer(async (_, response) => {
  await call(upstream)
  response.end()
}).listen(0, '127.0.0.1')
await new Promise((resolve) => setTimeout(resolve, 50))

let sent = 0
const padding = 'x'.repeat(200)
async function send(until) {
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (sent < until) await call(server, { traceparent: `t${sent++}`, baggage: `${padding}${sent}` })
    }),
  )
  for (let i = 0; i < 3; i++) globalThis.gc()
  return process.memoryUsage().heapUsed
}
const before = await send(count / 5)
const after = await send(count + count / 5)
process.stdout.write(JSON.stringify({ before, after }))
process.exit(0)
