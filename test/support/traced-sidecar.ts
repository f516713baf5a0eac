import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../lib/log.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { EnvoyProcess } from './envoy-process.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { canConnect } from './mesh.ts'
import { cluster, typed } from './static-resources.ts'

/** The headers that an application must pass on, as Istio's documentation lists them. */
export const PASSED_ON = [
  'x-request-id',
  'traceparent',
  'tracestate',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
]

/** An application that asks the next one, through its proxy, and tells of the headers that it got. */
export class TracedApp {
  readonly #server: Server
  /** Of the last request that came. */
  headers: Readonly<Record<string, unknown>> = {}
  /** Where it calls; undefined for the last of a chain. */
  nextPort: number | undefined
  passesOn: readonly string[] = PASSED_ON

  constructor() {
    this.#server = createServer((incoming, answer) => {
      this.headers = incoming.headers
      if (this.nextPort === undefined) {
        answer.end('end')
        return
      }
      const headers = Object.fromEntries(
        this.passesOn.flatMap((name) => (incoming.headers[name] === undefined ? [] : [[name, incoming.headers[name]]])),
      )
      const { nextPort: port } = this
      request({ host: '127.0.0.1', port, path: '/next', headers: { ...headers, host: 'next.test' } }, (got) => {
        answer.writeHead(got.statusCode ?? 500)
        got.pipe(answer)
      })
        .on('error', () => answer.writeHead(500).end())
        .end()
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

export interface SidecarOptions {
  /** Its service, as spans tell it. */
  readonly name: string
  readonly appPort: number
  /** Where calls of the application go; undefined where it makes none. */
  readonly nextPort?: number
  readonly tracing: object
  readonly clusters: readonly object[]
}

/** A proxy beside an application: what comes in goes to it, and what it sends goes to the next. */
export class TracedSidecar {
  readonly inPort: number
  readonly outPort: number
  readonly agent: Agent | undefined
  readonly #envoy: EnvoyProcess | undefined
  readonly #dir: string

  private constructor(
    ports: readonly [number, number],
    agent: Agent | undefined,
    envoy: EnvoyProcess | undefined,
    dir: string,
  ) {
    ;[this.inPort, this.outPort] = ports
    this.agent = agent
    this.#envoy = envoy
    this.#dir = dir
  }

  /** `envoy`: the path of a real Envoy; undefined for ours. */
  static async start(options: SidecarOptions, envoy: string | undefined): Promise<TracedSidecar> {
    const inPort = await freePort()
    const outPort = await freePort()
    const text = bootstrapOf(options, inPort, outPort)
    const dir = mkdtempSync(join(tmpdir(), 'lateen-traced-'))
    let agent: Agent | undefined
    let running: EnvoyProcess | undefined
    if (envoy === undefined) {
      agent = new Agent(parseBootstrap(text, 'static'), 'static', { log: silentLogger })
      await agent.start()
    } else {
      const file = join(dir, 'envoy.json')
      writeFileSync(file, text)
      running = new EnvoyProcess(envoy, file)
    }
    await eventually(() => canConnect('127.0.0.1', inPort), 30_000).catch((thrown) => {
      throw new Error(`${options.name} does not listen: ${thrown}\n${running?.log ?? ''}`)
    })
    return new TracedSidecar([inPort, outPort], agent, running, dir)
  }

  async stop(): Promise<void> {
    await this.#envoy?.stop()
    await this.agent?.stop(0)
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

function bootstrapOf(
  { name, appPort, nextPort, tracing, clusters }: SidecarOptions,
  inPort: number,
  outPort: number,
): string {
  const at = (port: number, traffic_direction: string, to: string, operation: string) => ({
    name: `${traffic_direction}`,
    traffic_direction,
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager(tracing, to, operation) }] }],
  })
  return JSON.stringify({
    node: { id: `${name}-1`, cluster: name },
    static_resources: {
      listeners: [
        at(inPort, 'INBOUND', 'app', `${name}:80/*`),
        ...(nextPort === undefined ? [] : [at(outPort, 'OUTBOUND', 'next', 'next.test:80/*')]),
      ],
      clusters: [
        cluster('app', [appPort]),
        ...(nextPort === undefined ? [] : [cluster('next', [nextPort])]),
        ...clusters,
      ],
    },
  })
}

function manager(tracing: object, to: string, operation: string): object {
  return typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    tracing,
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/plain' }, route: { cluster: to } },
            { match: { prefix: '/' }, route: { cluster: to }, decorator: { operation } },
          ],
        },
      ],
    },
  })
}

/** HttpConnectionManager.Tracing that tells a Zipkin in the cluster `zipkin`. */
export function zipkinTracing(fields: object = {}, others: object = {}): object {
  return {
    ...others,
    provider: {
      name: 'envoy.tracers.zipkin',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
        collector_cluster: 'zipkin',
        collector_endpoint: '/api/v2/spans',
        collector_endpoint_version: 'HTTP_JSON',
        trace_id_128bit: true,
        shared_span_context: false,
        ...fields,
      },
    },
  }
}
