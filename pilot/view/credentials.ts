import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { ROOTS_SUFFIX } from '../../config/credential/uses.ts'
import type { Memo } from '../memo.ts'
import type { Generation } from '../mesh/generation.ts'
import type { SecretIndex } from '../mesh/secrets.ts'
import { encoded } from '../resource.ts'
import { fileSecret } from '../translate/secret/files.ts'
import { type CredentialName, parseCredentialName } from '../translate/secret/names.ts'
import { secretResource } from '../translate/secret/resource.ts'
import type { EncodedResource } from '../xds/view.ts'

/** A secret, or why there is none to give. */
export type GivenCredential = { readonly resource: EncodedResource } | { readonly withheld: string }

/**
 * The secret of this name for a proxy of a namespace, which it has proven: only Secrets of its own are given, as in Istio, and without
 * a proven namespace none. What files of its own machine are called is given to every proxy.
 */
export function givenCredential(
  name: string,
  provenNamespace: string | undefined,
  { secrets }: Generation,
  memo: Memo,
): GivenCredential {
  // There is nothing in it that is not in its name.
  const files = fileSecret(name)
  if (files !== undefined) return { resource: encoded(TYPE_URL.secret, name, SecretSchema, files, memo) }
  const asked = parseCredentialName(name)
  if (asked === undefined)
    return withheld(
      'there is no such secret; those of Kubernetes are called kubernetes://<name> and kubernetes://<name>-cacert',
    )
  if (provenNamespace === undefined) return withheld('who asks is not proven: secrets are given over TLS only')
  if (asked.secret.includes('/')) return withheld('a proxy is given Secrets of its own namespace only')
  const object = find(asked, provenNamespace, secrets)
  if (object === undefined) return withheld(`namespace ${provenNamespace} has no Secret ${asked.secret}`)
  return memo.get('credential', [object, name], () => {
    const made = secretResource(name, object.body, asked.needs)
    if (typeof made === 'string') return withheld(`Secret ${provenNamespace}/${object.metadata.name} ${made}`)
    return { resource: encoded(TYPE_URL.secret, name, SecretSchema, made, memo) }
  })
}

/** Roots may be in a Secret of their own, beside the one with the certificate. */
function find({ secret, needs }: CredentialName, namespace: string, secrets: SecretIndex) {
  const apart = needs === 'roots' ? secrets.get(`${namespace}/${secret}${ROOTS_SUFFIX}`) : undefined
  return apart ?? secrets.get(`${namespace}/${secret}`)
}

function withheld(reason: string): GivenCredential {
  return { withheld: reason }
}
