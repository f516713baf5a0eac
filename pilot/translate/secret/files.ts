import { dirname } from 'node:path/posix'
import { create } from '@bufbuild/protobuf'
import { type WatchedDirectory, WatchedDirectorySchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  CertificateValidationContextSchema,
  TlsCertificateSchema,
} from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { type Secret, SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { fileSource } from '../tls-messages.ts'

/*
 * Files of the proxy's machine as secrets: Envoy reads files again when they change only where a secret names them, and not where a
 * TLS context does. The name says all that is in the secret, and it holds nothing but the paths, so that whoever asks may have it.
 * Istio's names, whose agent answers for them; the list of what is revoked behind the roots is ours.
 */

const CERTIFICATE = 'file-cert:'
const ROOTS = 'file-root:'
const SEPARATOR = '~'

export function certificateFileName(chain: string, key: string): string {
  return `${CERTIFICATE}${chain}${SEPARATOR}${key}`
}

/** `crl`: '' for none. */
export function rootsFileName(roots: string, crl: string): string {
  return `${ROOTS}${roots}${crl === '' ? '' : SEPARATOR + crl}`
}

/** Whether these paths can be told apart in a name. */
export function canBeNamed(...paths: readonly string[]): boolean {
  return paths.every((path) => !path.includes(SEPARATOR))
}

/** undefined for a name that is none of these. What is in it is the client's word, and may be anything. */
export function fileSecret(name: string): Secret | undefined {
  if (name.startsWith(CERTIFICATE)) {
    const [chain, key, ...others] = name.slice(CERTIFICATE.length).split(SEPARATOR)
    if (!chain || !key || others.length > 0) return undefined
    const value = create(TlsCertificateSchema, {
      certificateChain: fileSource(chain),
      privateKey: fileSource(key),
      ...watched([chain, key]),
    })
    return create(SecretSchema, { name, type: { case: 'tlsCertificate', value } })
  }
  if (!name.startsWith(ROOTS)) return undefined
  const [roots, crl, ...others] = name.slice(ROOTS.length).split(SEPARATOR)
  if (!roots || crl === '' || others.length > 0) return undefined
  const value = create(CertificateValidationContextSchema, {
    trustedCa: fileSource(roots),
    ...(crl !== undefined && { crl: fileSource(crl) }),
    ...watched(crl === undefined ? [roots] : [roots, crl]),
  })
  return create(SecretSchema, { name, type: { case: 'validationContext', value } })
}

/** The directory that all are in. There can be one only: where there are several, Envoy watches those of the files by itself. */
function watched(files: readonly string[]): { watchedDirectory?: WatchedDirectory } {
  const [path, ...others] = new Set(files.map(dirname))
  if (path === undefined || others.length > 0) return {}
  return { watchedDirectory: create(WatchedDirectorySchema, { path }) }
}
