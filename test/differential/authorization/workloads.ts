import type { JsonValue } from '@bufbuild/protobuf'
import { formatNodeId } from '../../../api/node.ts'
import { TYPE_URL } from '../../../api/type-urls.ts'
import { MemorySource } from '../../../config/sources/memory.ts'
import { ManualClock } from '../../../lib/clock.ts'
import type { MeshOptions } from '../../../pilot/mesh/options.ts'
import { Publisher } from '../../../pilot/publisher.ts'
import { decode } from '../../../pilot/testing/decode.ts'
import type { Issued } from '../../support/certificates.ts'
import { certificate, cluster } from '../../support/static-resources.ts'

/** A workload with a port of its own, and the policies that apply to it. */
export interface PolicedWorkload {
  readonly name: string
  readonly port: number
  readonly protocol: 'HTTP' | 'TCP'
  readonly policies: readonly Record<string, unknown>[]
  /** Specs of RequestAuthentications. */
  readonly tokens?: readonly Record<string, unknown>[]
}

/** What proxies of all these workloads open, as our pilot says it, to stand in one bootstrap. */
export class PolicedWorkloads {
  readonly workloads: readonly PolicedWorkload[]
  readonly #publisher: Publisher
  readonly #source: MemorySource

  constructor(workloads: readonly PolicedWorkload[], mesh: Partial<MeshOptions> = {}) {
    this.workloads = workloads
    this.#source = new MemorySource({ 'mesh.yaml': workloads.map(yamlOf).join('---\n') + PERMISSIVE })
    const errors = this.#source.current().findings.filter(({ severity }) => severity === 'error')
    if (errors.length > 0) throw new Error(JSON.stringify(errors, null, 1))
    // The text of a bootstrap may name nothing that Envoy does not know, optional or not.
    const withoutMetrics = { ...mesh, defaultProviders: { metrics: [] } }
    this.#publisher = new Publisher({ source: this.#source, clock: new ManualClock(), mesh: withoutMetrics })
  }

  /** The inbound listeners, on this address. */
  listeners(address: string): object[] {
    return this.workloads.map(({ name, port }) => {
      const view = this.#publisher.viewFor({
        id: formatNodeId({ type: 'sidecar', ip: address, name, namespace: 'a', domain: 'cluster.local' }),
        cluster: '',
        metadata: { LABELS: { app: name } },
      })
      const resource = view.get(TYPE_URL.listener, `${address}_${port}`)
      if (resource === undefined) throw new Error(`no listener for ${name}`)
      return withStaticSecrets(decode(TYPE_URL.listener, resource)) as object
    })
  }

  clusters(upstreamPort: number): object[] {
    return this.workloads.map(({ port }) => cluster(`inbound|${port}||`, [upstreamPort]))
  }

  close(): void {
    this.#publisher.close()
    this.#source.close()
  }
}

/** What a proxy's agent would give it. */
export function meshSecrets(own: Issued, roots: string): object[] {
  return [
    { name: 'default', tls_certificate: certificate(own) },
    { name: 'ROOTCA', validation_context: { trusted_ca: { filename: roots } } },
  ]
}

/** A secret without a source is one of the bootstrap. */
function withStaticSecrets(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withStaticSecrets)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (key === 'sds_config' ? [] : [[key, withStaticSecrets(inner)]])),
  )
}

const PERMISSIVE = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: a}
spec: {mtls: {mode: PERMISSIVE}}
`

function yamlOf({ name, port, protocol, policies, tokens = [] }: PolicedWorkload): string {
  const sidecar = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name, namespace: 'a' },
    spec: {
      workloadSelector: { labels: { app: name } },
      ingress: [{ port: { number: port, protocol, name: 'in' }, captureMode: 'NONE', defaultEndpoint: '127.0.0.1:80' }],
      egress: [{ hosts: ['~/*'] }],
    },
  }
  const objectsOf = (kind: string, specs: readonly Record<string, unknown>[]) =>
    specs.map((spec, i) => ({
      apiVersion: 'security.istio.io/v1',
      kind,
      metadata: { name: `${name}-${i}`, namespace: 'a' },
      spec: { selector: { matchLabels: { app: name } }, ...spec },
    }))
  const objects = [...objectsOf('AuthorizationPolicy', policies), ...objectsOf('RequestAuthentication', tokens)]
  return [sidecar, ...objects].map((object) => `${JSON.stringify(object)}\n`).join('---\n')
}
