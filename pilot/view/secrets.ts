import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import type { Memo } from '../memo.ts'
import type { Generation } from '../mesh/generation.ts'
import { encoded } from '../resource.ts'
import { trustBundleSecret } from '../translate/secret/trust-bundle.ts'
import type { EncodedResource } from '../xds/view.ts'

/** What may be asked for by SDS. Workloads' own certificates are not among it: their keys never leave them. */
export function secretResources({ trustBundle }: Generation, memo: Memo): readonly EncodedResource[] {
  if (trustBundle === '') return []
  return memo.get('secrets', [trustBundle], () => {
    const secret = trustBundleSecret(trustBundle)
    return [encoded(TYPE_URL.secret, secret.name, SecretSchema, secret, memo)]
  })
}
