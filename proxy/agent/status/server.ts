import { createServer, type Server, type ServerResponse } from 'node:http'
import { errorText } from '../../../lib/errors.ts'
import { createLogger } from '../../../lib/log.ts'
import type { Metric, MetricStore } from '../../../lib/metrics/store.ts'
import { ownMetrics } from '../admin/routes.ts'
import type { Agent } from '../agent.ts'
import { type ApplicationScrape, scrapeApplication } from './application-scrape.ts'

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
const HEADERS_TIMEOUT_MS = 5_000

/**
 * What the network may see of a proxy, unlike its admin pages: metrics, with those of the workload, and whether it is ready. Istio's
 * agent has the same on its port 15020.
 */
export class StatusServer {
  readonly #agent: Agent
  readonly #port: number
  readonly #application: ApplicationScrape | undefined
  readonly #server: Server
  readonly #scrapes: Metric
  readonly #failures: { readonly application: Metric; readonly envoy: Metric }
  #log = createLogger('status')

  constructor(agent: Agent, port: number, application: ApplicationScrape | undefined, metrics: MetricStore) {
    this.#agent = agent
    this.#port = port
    this.#application = application
    this.#scrapes = metrics.counter('istio_agent_scrapes_total')
    const failures = (type: string) => metrics.counter('istio_agent_scrape_failures_total', { type })
    this.#failures = { application: failures('application'), envoy: failures('envoy') }
    this.#server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, (request, response) => {
      request.resume()
      const path = (request.url ?? '').split('?')[0]
      if (path === '/healthz/ready') this.#answerReady(response)
      else if (path === '/stats/prometheus' || path === '/metrics') void this.#answerMetrics(response)
      else send(response, 404, 'not found\n')
    })
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, () => resolve())
    })
  }

  /** The port that is listened on. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#port
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #answerReady(response: ServerResponse): void {
    if (this.#agent.isReady) send(response, 200, '')
    else send(response, 503, 'not ready\n')
  }

  /** What one of both cannot tell is left out, and counted. */
  async #answerMetrics(response: ServerResponse): Promise<void> {
    this.#scrapes.inc()
    const [application, own] = await Promise.all([
      this.#application === undefined
        ? ''
        : scrapeApplication(this.#application).catch((thrown) => this.#fail('application', thrown)),
      // An application says of its process what we would of ours, by the same names.
      ownMetrics(this.#agent, this.#application === undefined).catch((thrown) => this.#fail('envoy', thrown)),
    ])
    send(response, 200, `${own}${application}`)
  }

  #fail(type: 'application' | 'envoy', thrown: unknown): string {
    this.#failures[type].inc()
    this.#log.warning('metrics could not be read', { type, error: errorText(thrown) })
    return ''
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': TEXT, 'x-content-type-options': 'nosniff' })
  response.end(body)
}
