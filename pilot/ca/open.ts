import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { JSONWebKeySet } from 'jose'
import type { Clock } from '../../lib/clock.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import { CertificateAuthority, lifeOf } from './authority.ts'
import { AuthorityWatch } from './authority-watch.ts'
import type { CallerCheck } from './callers.ts'
import { LeafFile } from './leaf-file.ts'
import type { LeafLedger } from './leaf-ledger.ts'
import { CaServer } from './server.ts'
import { ServiceAccountTokens } from './service-account-tokens.ts'
import { openSigners } from './signers.ts'
import { TokenFiles } from './token-files.ts'

export interface CaOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  /** In Istio's `cacerts` layout; made when it is not there. */
  readonly dir: string
  readonly trustDomain: string
  /** What clients call the server by. */
  readonly serverNames: readonly string[]
  /** Tokens of a mesh without Kubernetes: `<namespace>/<service account>`. */
  readonly tokensDir: string | undefined
  readonly serviceAccounts: ServiceAccountOptions | undefined
}

export interface ServiceAccountOptions {
  /** A file with the JSON Web Key Set of the cluster (its `/openid/v1/jwks`). */
  readonly keysFile: string
  readonly issuer: string
  readonly audiences: readonly string[]
}

interface Around {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: MetricStore
}

/** A certificate authority as it runs. */
export interface Ca {
  readonly dir: string
  readonly authority: CertificateAuthority
  readonly ledger: LeafLedger
  readonly server: CaServer
  /** Calls back when peers are to be trusted by other roots than before. */
  onRoots(listener: (roots: string) => void): void
  close(): void
}

/** The authority and its server as they are configured. Throws CA_INVALID or CA_EXPIRED. */
export function openCa(options: CaOptions, { clock, log, metrics }: Around): Ca {
  const { dir, serverNames, serviceAccounts, tokensDir, trustDomain } = options
  const callers: CallerCheck[] = []
  if (tokensDir !== undefined) callers.push(new TokenFiles(tokensDir, trustDomain, clock, log))
  if (serviceAccounts !== undefined) {
    const { issuer, audiences } = serviceAccounts
    const keys = readKeys(serviceAccounts.keysFile)
    callers.push(new ServiceAccountTokens({ keys, issuer, audiences, trustDomain, clock }))
  }
  if (callers.length === 0) {
    throw new MeshError('CA_INVALID', 'nobody could get a certificate: give tokens, or the keys of service accounts', {
      source: 'config',
    })
  }
  const { signer, serverSigner } = openSigners(dir, trustDomain, clock, log)
  const authority = new CertificateAuthority({ material: signer, serverMaterial: serverSigner, clock })
  const file = new LeafFile(dir, clock, log)
  const { ledger } = file
  const server = new CaServer({ authority, ledger, callers, trustDomain, serverNames, clock, log, metrics })
  const listeners: ((roots: string) => void)[] = []
  const endsAt = metrics.gauge('citadel_server_cert_chain_expiry_timestamp')
  const rootsEndAt = metrics.gauge('citadel_server_root_cert_expiry_timestamp')
  const showEnds = () => {
    const { certificate, rootList } = authority.material
    endsAt.set(lifeOf(certificate).endMs / 1000)
    rootsEndAt.set(Math.min(...rootList.map((root) => lifeOf(new X509Certificate(root)).endMs)) / 1000)
  }
  showEnds()
  const onChange = () => {
    showEnds()
    server.renew()
    for (const listener of listeners) listener(authority.roots)
  }
  const watch = new AuthorityWatch({ dir, trustDomain, authority, clock, log, metrics, onChange })
  return {
    dir,
    authority,
    ledger,
    server,
    onRoots: (listener) => listeners.push(listener),
    close: () => {
      watch.close()
      file.close()
      server.close()
    },
  }
}

function readKeys(file: string): JSONWebKeySet {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8')) as JSONWebKeySet
    if (!Array.isArray(read.keys)) throw new Error('it has no list `keys`')
    return read
  } catch (thrown) {
    throw new MeshError('CA_INVALID', `${file}: ${errorText(thrown)}`, { source: 'config', details: { file } })
  }
}
