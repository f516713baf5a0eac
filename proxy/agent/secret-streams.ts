import type { Cluster } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { Node } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { sourceKey } from '../plan/compile/secret-refs.ts'
import type { XdsClient, XdsClientOptions } from '../xds/client.ts'
import type { ResourceSet } from '../xds/resource-set.ts'
import { LOCAL_SOURCE } from '../xds/secret-store.ts'
import type { ResourceSink } from '../xds/subscription.ts'

/** Where the static clusters are that secrets may be asked of, as gRPC writes targets. Plain text only. */
export function secretServers(clusters: readonly Cluster[]): ReadonlyMap<string, string> {
  const targets = new Map<string, string>()
  for (const { name, loadAssignment, transportSocket } of clusters) {
    const endpoint = loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier
    const address = endpoint?.case === 'endpoint' ? endpoint.value.address?.address : undefined
    if (transportSocket !== undefined || address === undefined) continue
    if (address.case === 'pipe') targets.set(name, `unix:${address.value.path}`)
    if (address.case === 'socketAddress' && address.value.portSpecifier.case === 'portValue') {
      targets.set(name, `${address.value.address}:${address.value.portSpecifier.value}`)
    }
  }
  return targets
}

export interface SecretStreamsOptions extends Pick<XdsClientOptions, 'clock' | 'random' | 'log' | 'metrics'> {
  readonly resources: ResourceSet
  readonly servers: ReadonlyMap<string, string>
  readonly node: Node
}

/** The streams of secrets that come from servers of their own (`api_config_source`): one a server, while it is needed. */
export class SecretStreams {
  readonly #options: SecretStreamsOptions
  readonly #clients = new Map<string, XdsClient>()
  #isClosed = false
  #updating: Promise<void> = Promise.resolve()

  constructor(options: SecretStreamsOptions) {
    this.#options = options
  }

  /** Opens, changes and closes streams by what is referred to now. */
  update(): void {
    this.#updating = this.#updating.then(() => this.#update())
  }

  close(): void {
    this.#isClosed = true
    for (const client of this.#clients.values()) client.close()
  }

  async #update(): Promise<void> {
    if (this.#isClosed) return
    const { resources, servers } = this.#options
    const needed = new Map<string, { target: string; cluster: string; useDelta: boolean }>()
    for (const ref of resources.secretRefs()) {
      const { source } = ref
      if (source.kind !== 'grpc' || resources.secrets.sourceOf(ref) === LOCAL_SOURCE) continue
      const target = servers.get(source.cluster)
      if (target !== undefined) needed.set(sourceKey(source), { ...source, target })
    }
    for (const [key, client] of this.#clients) {
      if (needed.has(key)) continue
      client.close()
      this.#clients.delete(key)
    }
    for (const [key, server] of needed) {
      const client = this.#clients.get(key)
      if (client !== undefined) client.updateNames()
      else await this.#open(key, server)
    }
  }

  async #open(key: string, server: { target: string; cluster: string; useDelta: boolean }): Promise<void> {
    const { resources, node, clock, random, log, metrics } = this.#options
    const { XdsClient } = await import('../xds/client.ts')
    if (this.#isClosed) return
    const client = new XdsClient({
      server: { target: server.target, useDelta: server.useDelta, node, service: 'secrets' },
      resources: secretSink(resources, key),
      clock,
      random,
      log,
      metrics,
      connected: metrics.gauge('sds.connected_state', { cluster_name: server.cluster }),
    })
    this.#clients.set(key, client)
    client.start()
  }
}

/** The secrets of one source, as all that there is. */
function secretSink(resources: ResourceSet, source: string): ResourceSink {
  return {
    usesVhds: false,
    acceptSotw: (_type, incoming) => resources.acceptSecrets(source, incoming),
    acceptDelta: (_type, incoming, removed) => resources.acceptSecrets(source, incoming, removed),
    versions: () => resources.secrets.versions(source),
    wantedNames: () => resources.wantedSecrets(source),
  }
}
