import { create } from '@bufbuild/protobuf'
import { DataSourceSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { OWN_CERTIFICATE, TRUSTED_ROOTS } from '../../../api/names.ts'
import type { Clock } from '../../../lib/clock.ts'
import { errorText } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { MetricStore } from '../../../lib/metrics/store.ts'
import type { Random } from '../../../lib/random.ts'
import type { IdentityState, SecretProvider, SecretSink } from '../../xds/secret-provider.ts'
import type { WorkloadCertificate, WorkloadIdentity } from './workload-identity.ts'

/** Where a workload's certificate comes from. */
export interface IdentityOptions {
  /** `host:port` of the certificate authority. */
  readonly caAddress: string
  /** PEM of the roots that the authority's own certificate must lead to. */
  readonly caRootFile: string
  readonly tokenFile: string
  /** Of the certificates; 0 leaves it to the authority. */
  readonly lifeSeconds: number
  /** The xDS id of the proxy; '' where there is none. */
  readonly node?: string
}

interface Around {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: MetricStore
}

/** The workload's identity as the secrets that listeners and clusters refer to. */
export class IdentitySecrets implements SecretProvider {
  readonly names: ReadonlySet<string> = new Set([OWN_CERTIFICATE, TRUSTED_ROOTS])
  readonly #options: IdentityOptions
  readonly #around: Around
  #identity: WorkloadIdentity | undefined
  #isClosed = false

  constructor(options: IdentityOptions, around: Around) {
    this.#options = options
    this.#around = around
  }

  start(sink: SecretSink): void {
    this.#open(sink).catch((thrown: unknown) => {
      this.#around.log.error('the workload has no identity', { error: errorText(thrown) })
    })
  }

  onTrustBundle(roots: string): void {
    this.#identity?.onTrustBundle(roots)
  }

  get state(): IdentityState | undefined {
    return this.#identity?.state
  }

  close(): void {
    this.#isClosed = true
    this.#identity?.close()
  }

  /** gRPC and X.509 take memory that proxies without an identity do not need. */
  async #open(sink: SecretSink): Promise<void> {
    const { caAddress: address, caRootFile: rootFile, tokenFile, lifeSeconds, node } = this.#options
    const knownRoots = () => this.#identity?.current?.roots ?? ''
    const [{ CaClient }, { WorkloadIdentity }] = await Promise.all([
      import('./ca-client.ts'),
      import('./workload-identity.ts'),
    ])
    if (this.#isClosed) return
    this.#identity = new WorkloadIdentity({
      ...this.#around,
      source: new CaClient({ address, rootFile, knownRoots, tokenFile, lifeSeconds, node, clock: this.#around.clock }),
      onCertificate: (certificate) => this.#put(certificate, sink),
    })
    this.#identity.start()
  }

  /** Roots first: who is met by the new certificate may have a new one too. */
  #put(certificate: WorkloadCertificate, sink: SecretSink): void {
    const version = new Date(certificate.startMs).toISOString()
    for (const secret of [trustedRoots(certificate), ownCertificate(certificate)]) {
      const problem = sink.put(secret, version)
      if (problem !== '') this.#around.log.error('a secret of the workload is not taken', { problem })
    }
  }
}

function ownCertificate({ chain, privateKey }: WorkloadCertificate): Secret {
  const value = create(TlsCertificateSchema, { certificateChain: inline(chain), privateKey: inline(privateKey) })
  return create(SecretSchema, { name: OWN_CERTIFICATE, type: { case: 'tlsCertificate', value } })
}

function trustedRoots({ roots }: WorkloadCertificate): Secret {
  const value = create(CertificateValidationContextSchema, { trustedCa: inline(roots) })
  return create(SecretSchema, { name: TRUSTED_ROOTS, type: { case: 'validationContext', value } })
}

function inline(text: string) {
  return create(DataSourceSchema, { specifier: { case: 'inlineString', value: text } })
}
