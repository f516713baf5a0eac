// An endpoint that can be made to fail. Usage: node endpoint.mjs ADDRESS PORT. Each line on its standard input is a mode as
// JSON, {} for none:
//   delayMs            answers late
//   status, share      answers this share of the requests with this status
//   breakShare         breaks the connection of this share of the requests in the middle of the body
// Prints what it has done, as JSON, at the line `report`.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { BODY_BYTES, bodyFor } from './body.mjs'

const [address, port] = process.argv.slice(2)
const counts = { requests: 0, failed: 0, broken: 0 }
let mode = {}
let credit = 0

/** Every n-th, so that the share is exact. */
function isDrawn(share = 0) {
  credit += share
  if (credit < 1) return false
  credit -= 1
  return true
}

function answer(request, response) {
  counts.requests++
  if (mode.status !== undefined && isDrawn(mode.share)) {
    counts.failed++
    response.writeHead(mode.status, { 'content-length': 0 }).end()
    return
  }
  const body = bodyFor(request.url)
  response.writeHead(200, { 'content-length': BODY_BYTES, 'x-from-upstream': address })
  if (isDrawn(mode.breakShare)) {
    counts.broken++
    response.write(body.subarray(0, BODY_BYTES / 2), () => request.socket.resetAndDestroy())
  } else response.end(body)
}

createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    if (mode.delayMs === undefined) answer(request, response)
    else setTimeout(answer, mode.delayMs, request, response)
  })
}).listen(Number(port), address, () => process.stdout.write('listening\n'))

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'report') process.stdout.write(`${JSON.stringify(counts)}\n`)
  else {
    mode = JSON.parse(line)
    credit = 0
    process.stdout.write('changed\n')
  }
})
process.stdin.on('end', () => process.exit())
