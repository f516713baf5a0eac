import type { Secret } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'

/**
 * Supplies secrets from within this process, such as the certificate that an agent gets of a CA under `default` and the
 * roots that it trusts under `ROOTCA`. For its names it answers whatever `sds_config` says but `ads`, and nobody else is asked: it
 * stands where Istio's agent does, behind a server of its own. What is to come by the aggregated stream is that server's to send.
 */
export interface SecretProvider {
  /** Must not change. */
  readonly names: ReadonlySet<string>
  /**
   * Called once, when the proxy starts. What refers to a name waits for its first put(), up to `initial_fetch_timeout`.
   */
  start(sink: SecretSink): void
  /** What came under `ROOTCA` by the aggregated stream, PEM, whenever it is another. */
  onTrustBundle?(roots: string): void
  /** How it stands, for who looks; undefined when that is not known yet. */
  readonly state?: IdentityState | undefined
  /** Called once, when the proxy stops: nothing may be put any more. */
  close(): void
}

/** How a workload's certificate and its renewal stand. Times are milliseconds since the Unix epoch. */
export interface IdentityState {
  /** Of the certificate in force; undefined before the first. */
  readonly startMs: number | undefined
  readonly endMs: number | undefined
  readonly isExpired: boolean
  /** Why the last attempt at a renewal failed; '' when it did not. */
  readonly lastError: string
  /** When the first attempt failed since the last that did not; undefined when none has. */
  readonly failingSinceMs: number | undefined
}

export interface SecretSink {
  /**
   * Takes a secret (envoy.extensions.transport_sockets.tls.v3.Secret), named as one of the provider's names, now or in the
   * place of the one before: new handshakes use it, open connections live on. All threads get it.
   *
   * @param version shown by the admin page, nothing more
   * @returns why it was refused; '' when it was taken. The last good one stays.
   */
  put(secret: Secret, version: string): string
}
