import type { ConfigObject } from '../../config/object.ts'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import type { Memo } from '../memo.ts'

/** By `namespace/name`. */
export type SecretIndex = ReadonlyMap<string, ConfigObject<SecretBody>>

export function indexSecrets(secrets: readonly ConfigObject<SecretBody>[], memo: Memo): SecretIndex {
  return memo.get(
    'secrets',
    [secrets],
    () => new Map(secrets.map((secret) => [`${secret.metadata.namespace}/${secret.metadata.name}`, secret])),
  )
}
