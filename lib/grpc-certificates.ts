import type { experimental } from '@grpc/grpc-js'

type Provider = experimental.CertificateProvider
type IdentityListener = Parameters<Provider['addIdentityCertificateListener']>[0]
type RootsListener = Parameters<Provider['addCaCertificateListener']>[0]

/** A certificate and its key, PEM. */
export interface ServerCertificate {
  readonly certificate: Buffer
  readonly privateKey: Buffer
}

/** Where a server of gRPC gets its certificate and the roots of its clients, which change while it runs: gRPC asks by this interface. */
export abstract class ServerCertificates implements Provider {
  readonly #listeners = new Set<IdentityListener>()
  readonly #rootsListeners = new Set<RootsListener>()

  protected abstract identity(): ServerCertificate
  /** PEM. */
  protected abstract roots(): Buffer

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.add(listener)
    // Not at once: gRPC's server asks before it can take an answer.
    queueMicrotask(() => listener(this.identity()))
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.delete(listener)
  }

  addCaCertificateListener(listener: RootsListener): void {
    this.#rootsListeners.add(listener)
    queueMicrotask(() => listener({ caCertificate: this.roots() }))
  }

  removeCaCertificateListener(listener: RootsListener): void {
    this.#rootsListeners.delete(listener)
  }

  protected tellIdentity(): void {
    for (const listener of this.#listeners) listener(this.identity())
  }

  protected tellRoots(): void {
    for (const listener of this.#rootsListeners) listener({ caCertificate: this.roots() })
  }
}
