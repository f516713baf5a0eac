import type { TlsCertificate } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { CertificateMaterial } from '../../tls/material.ts'
import { refuse } from '../plan-error.ts'
import { compileDataSource, pathOf } from './data-source.ts'

/**
 * `stamps` gets the files that were read. Throws a PlanError that names the field. Whether key and certificate belong together is
 * OpenSSL's to say.
 */
export function compileCertificate(
  tls: TlsCertificate,
  path: string,
  stamps: Map<string, string>,
): CertificateMaterial {
  if (tls.privateKeyProvider !== undefined) refuse(`${path}.private_key_provider`, 'not supported')
  const chain = compileDataSource(tls.certificateChain, `${path}.certificate_chain`, stamps)
  const key = compileDataSource(tls.privateKey, `${path}.private_key`, stamps)
  const pkcs12 = compileDataSource(tls.pkcs12, `${path}.pkcs12`, stamps)
  if (pkcs12 !== undefined && (chain !== undefined || key !== undefined)) {
    refuse(`${path}.pkcs12`, 'stands for certificate_chain and private_key, and excludes them')
  }
  if (pkcs12 === undefined && chain === undefined) refuse(`${path}.certificate_chain`, 'is needed')
  if (pkcs12 === undefined && key === undefined) refuse(`${path}.private_key`, 'is needed')
  const passphrase = compileDataSource(tls.password, `${path}.password`, stamps)?.toString('utf8')
  return { chainPath: pathOf(tls.certificateChain), chain, key, pkcs12, passphrase }
}
