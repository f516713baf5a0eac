import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

/*
 * What lateen/propagate costs an application: requests per second of a plain server that calls another for each, and the time
 * of its processor for each, with and without. Rounds of the two take turns.
 *
 *   npm run build && node dist/bench/micro/propagate.js [another node]
 */

const ROUNDS = 9
const REQUESTS = 10_000
const CONNECTIONS = 16
const PRELOAD = fileURLToPath(new URL('../../propagate/main.js', import.meta.url))
const HEADERS = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=opaque',
  'x-request-id': '0f3a9c1b-1b2c-4d3e-8f40-e58d47e2a6b4',
  'x-envoy-expected-rq-timeout-ms': '15000',
  'user-agent': 'bench',
  accept: 'application/json',
}

/** The application: `way` is how it calls, `http` or `fetch`. Tells its port, and what processor it used when asked. */
function runApplication(way: string, port: number): void {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((_, response) => {
    if (way === 'fetch') {
      void fetch(`http://127.0.0.1:${port}/`)
        .then((answer) => answer.text())
        .then((text) => response.end(text))
      return
    }
    request({ host: '127.0.0.1', port, agent }, (answer) => answer.pipe(response)).end()
  })
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
}

class Application {
  readonly #child: ChildProcess
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  #port = 0

  constructor(node: string, args: readonly string[]) {
    this.#child = spawn(node, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  async start(): Promise<void> {
    const [port] = await once(this.#child, 'message')
    this.#port = port
  }

  async #cpuUs(): Promise<number> {
    this.#child.send('cpu')
    const [us] = await once(this.#child, 'message')
    return us
  }

  /** Requests per second, and microseconds of the application's processor for each. */
  async round(): Promise<{ perSecond: number; cpuUs: number }> {
    const cpuUs = await this.#cpuUs()
    const start = process.hrtime.bigint()
    let left = REQUESTS
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        while (left-- > 0) await this.#call()
      }),
    )
    const seconds = Number(process.hrtime.bigint() - start) / 1e9
    return { perSecond: REQUESTS / seconds, cpuUs: ((await this.#cpuUs()) - cpuUs) / REQUESTS }
  }

  #call(): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#port, agent: this.#agent, headers: HEADERS }
      const outgoing = request(options, (answer) => answer.resume().on('end', resolve))
      outgoing.on('error', reject)
      outgoing.end()
    })
  }

  stop(): void {
    this.#agent.destroy()
    this.#child.kill('SIGKILL')
  }
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number
}

async function compare(node: string, way: string, port: number): Promise<void> {
  const app = [fileURLToPath(import.meta.url), 'application', way, String(port)]
  const applications = [new Application(node, app), new Application(node, ['--import', PRELOAD, ...app])]
  await Promise.all(applications.map((application) => application.start()))
  const perSecond: number[][] = [[], []]
  const cpuUs: number[][] = [[], []]
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, application] of applications.entries()) {
      const done = await application.round()
      // The first one warms up.
      if (round === 0) continue
      perSecond[i]?.push(done.perSecond)
      cpuUs[i]?.push(done.cpuUs)
    }
  }
  for (const application of applications) application.stop()
  for (const [i, name] of ['alone', 'with lateen/propagate'].entries()) {
    const rate = median(perSecond[i] as number[])
    const cpu = median(cpuUs[i] as number[])
    process.stdout.write(`${way.padEnd(6)} ${name.padEnd(22)} ${rate.toFixed(0).padStart(6)} requests/s `)
    process.stdout.write(`${cpu.toFixed(1).padStart(7)} us of processor each\n`)
  }
}

const [mode, way, port] = process.argv.slice(2)
if (mode === 'application') runApplication(way as string, Number(port))
else {
  const upstream = createServer((_, response) => response.end('{"ok":true}')).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  for (const way of ['http', 'fetch']) {
    await compare(mode ?? process.execPath, way, (upstream.address() as AddressInfo).port)
  }
  upstream.closeAllConnections()
  upstream.close()
}
