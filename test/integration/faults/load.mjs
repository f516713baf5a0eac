// Sends requests at a steady rate, whatever becomes of them: GET and POST in turn. Usage: node load.mjs ADDRESS PORT HOST RATE.
// At the line `stop` on its standard input it waits for all answers and prints what became of them, as JSON.
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { bodyFor } from './body.mjs'

const [address, port, host, rate] = process.argv.slice(2)
const TICK_MS = 5
const PATIENCE_MS = 20_000
const agent = new Agent({ keepAlive: true, maxSockets: 512 })
/** `failures`: how often each kind of failure came, by method and what was seen. */
const counts = { sent: 0, ok: 0, failures: {}, byEndpoint: {}, slowestMs: 0 }
let underWay = 0

function send(n) {
  const method = n % 2 === 0 ? 'GET' : 'POST'
  const path = `/r/${n}`
  const startMs = performance.now()
  let isOver = false
  const done = (failure, endpoint) => {
    if (isOver) return
    isOver = true
    underWay--
    counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - startMs))
    if (failure === undefined) {
      counts.ok++
      counts.byEndpoint[endpoint] = (counts.byEndpoint[endpoint] ?? 0) + 1
    } else counts.failures[`${method} ${failure}`] = (counts.failures[`${method} ${failure}`] ?? 0) + 1
  }
  counts.sent++
  underWay++
  const sent = request({ host: address, port, method, path, agent, headers: { host } }, (response) => {
    const chunks = []
    response.on('data', (chunk) => chunks.push(chunk))
    response.on('error', (error) => done(`broken: ${error.code}`))
    response.on('end', () => {
      const body = Buffer.concat(chunks)
      if (response.statusCode !== 200) done(`${response.statusCode}: ${body}`)
      else if (!body.equals(bodyFor(path))) done('another body')
      else done(undefined, response.headers['x-from-upstream'])
    })
  })
  sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error('no answer')))
  sent.on('error', (error) => done(`not answered: ${error.code ?? error.message}`))
  sent.end(method === 'POST' ? 'a body' : undefined)
}

const startMs = performance.now()
const ticker = setInterval(() => {
  const due = ((performance.now() - startMs) * Number(rate)) / 1000
  while (counts.sent < due) send(counts.sent)
}, TICK_MS)
process.stdout.write('sending\n')

createInterface({ input: process.stdin }).on('line', () => {
  clearInterval(ticker)
  setInterval(() => {
    if (underWay > 0) return
    process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit())
  }, TICK_MS)
})
process.stdin.on('end', () => process.exit())
