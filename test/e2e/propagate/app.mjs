// An application that knows nothing of traces: for each call that comes it makes one of its own, in the way that the path names, and
// answers what the other side was sent.
import http, { request as namedRequest } from 'node:http'
import http2 from 'node:http2'
import { createRequire } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'

const [target, target2] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
const { request: requiredRequest } = createRequire(import.meta.url)('http')
const session = http2.connect(target2)

function answerOf(outgoing) {
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      let text = ''
      incoming.on('data', (chunk) => {
        text += chunk
      })
      incoming.on('end', () => resolve(JSON.parse(text)))
    })
  })
}
const send = (make, ...args) => {
  const outgoing = make(...args)
  outgoing.end()
  return answerOf(outgoing)
}
const url = new URL(target)
const options = { host: url.hostname, port: url.port, path: '/', agent }

const WAYS = {
  request: () => send(namedRequest, options),
  required: () => send(requiredRequest, target, { agent }),
  get: () => answerOf(http.get(target)),
  list: () => send(http.request, { ...options, headers: ['Host', url.host, 'x-own', 'mine'] }),
  own: () => send(http.request, { ...options, headers: { traceparent: 'own' } }),
  fetch: async () => (await fetch(target, { headers: { 'x-own': 'mine' } })).json(),
  http2: () =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/', 'x-own': 'mine' })
      let text = ''
      stream.on('error', reject)
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.on('end', () => resolve(JSON.parse(text)))
    }),
  grpc: () =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/', 'content-type': 'application/grpc', 'grpc-timeout': '1H' })
      let text = ''
      stream.on('error', reject)
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.on('end', () => resolve(JSON.parse(text)))
    }),
}

async function handle(incoming, response) {
  const [, way, delay] = incoming.url.split('/')
  if (delay === 'timer') await pause(Math.random() * 20)
  if (delay === 'immediate') await new Promise((resolve) => setImmediate(resolve))
  const answer = delay === 'body' ? await afterBody(incoming, WAYS[way]) : await WAYS[way]()
  if (delay === 'finish') {
    // What happens after the answer still happens because of the call.
    response.on('finish', () => void WAYS[way]())
  }
  response.end(JSON.stringify(answer))
}

function afterBody(incoming, make) {
  return new Promise((resolve, reject) => {
    incoming.on('data', () => {})
    incoming.on('end', () => make().then(resolve, reject))
  })
}

const failed = (response) => (error) => {
  response.statusCode = 500
  response.end(String(error.stack))
}
const server = http.createServer((incoming, response) => {
  handle(incoming, response).catch(failed(response))
})
const server2 = http2.createServer((incoming, response) => {
  handle(incoming, response).catch(failed(response))
})
// Nobody has called for this.
setInterval(() => void WAYS.fetch().catch(() => {}), 50)
server.listen(0, '127.0.0.1', () => {
  server2.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ port: server.address().port, port2: server2.address().port }))
  })
})
