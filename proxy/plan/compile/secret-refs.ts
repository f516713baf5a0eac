import {
  ApiConfigSource_ApiType as ApiType,
  type ConfigSource,
} from '../../../api/gen/envoy/config/core/v3/config_source_pb.js'
import type { SdsSecretConfig } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { refuse } from '../plan-error.ts'
import type { FoundSecrets, SecretKind, SecretRef, SecretSource } from '../secret-plan.ts'
import { durationMs } from './common.ts'
import type { SecretOfKind } from './secret-kinds.ts'

/** Envoy's, for `initial_fetch_timeout`. */
const DEFAULT_FETCH_TIMEOUT_MS = 15_000

/** One secret among those that a TLS context needs. */
export interface SecretNeed<K extends SecretKind = SecretKind> {
  readonly index: number
  readonly kind: K
  readonly path: string
  /** What stands in the context itself. */
  readonly own: SecretOfKind<K> | undefined
}

/** Each that is read from files is found by a key of its own. */
let ownKeys = 0

/** Gathers the secrets that a TLS context refers to. */
export class SecretNeeds {
  readonly refs: SecretRef[] = []

  /** Throws a PlanError when the reference has no name. */
  add<K extends SecretKind>(config: SdsSecretConfig, path: string, kind: K): SecretNeed<K> {
    const { name, sdsConfig } = config
    if (name === '') refuse(`${path}.name`, 'is needed')
    const source = sourceOf(sdsConfig, `${path}.sds_config`)
    this.refs.push({
      key: `${sourceKey(source)} ${name}`,
      name,
      kind,
      source,
      fetchTimeoutMs: durationMs(sdsConfig?.initialFetchTimeout, DEFAULT_FETCH_TIMEOUT_MS),
      path,
    })
    return { index: this.refs.length - 1, kind, path, own: undefined }
  }

  /** What stands in the context itself changes when it comes from files, and then only. Its name is the field that it stands in. */
  addOwn<K extends SecretKind>(own: SecretOfKind<K>): SecretNeed<K> {
    const { files, name } = own
    const kind: K = own.kind
    if (files === undefined) return { index: -1, kind, path: name, own }
    const source = { kind: 'file', secret: own } as const
    this.refs.push({ key: `file ${++ownKeys}`, name, kind, source, fetchTimeoutMs: 0, path: name })
    return { index: this.refs.length - 1, kind, path: name, own }
  }
}

/** The secret that was asked for, which must be there. That it is of its kind has been checked: see BySecrets. */
export function secretOf<K extends SecretKind>(secrets: FoundSecrets, { index, own }: SecretNeed<K>): SecretOfKind<K> {
  return (secrets[index] ?? own) as SecretOfKind<K>
}

/** Names a source, alike for alike sources. */
export function sourceKey(source: SecretSource): string {
  if (source.kind !== 'grpc') return source.kind
  return `${source.useDelta ? 'delta_grpc' : 'grpc'}:${source.cluster}`
}

/**
 * A source that is not served is refused only where the reference is used: a secret of this process answers for its name
 * whatever the source.
 */
function sourceOf(config: ConfigSource | undefined, path: string): SecretSource {
  if (config === undefined) return { kind: 'static' }
  const { configSourceSpecifier: from } = config
  const refused = (field: string, reason: string): SecretSource => ({
    kind: 'refused',
    path: field === '' ? path : `${path}.${field}`,
    reason,
  })
  switch (from.case) {
    case 'ads':
      return { kind: 'ads' }
    case 'apiConfigSource': {
      const { apiType, grpcServices } = from.value
      if (apiType !== ApiType.GRPC && apiType !== ApiType.DELTA_GRPC) {
        return refused('api_config_source.api_type', 'must be GRPC or DELTA_GRPC')
      }
      const target = grpcServices[0]?.targetSpecifier
      if (target?.case !== 'envoyGrpc') {
        return refused('api_config_source.grpc_services[0]', 'envoy_grpc is needed')
      }
      return { kind: 'grpc', cluster: target.value.clusterName, useDelta: apiType === ApiType.DELTA_GRPC }
    }
    case 'path':
      return refused('path', 'not supported')
    case 'pathConfigSource':
      return refused('path_config_source', 'not supported')
    case 'self':
      return refused('self', 'not supported')
    default:
      return refused('', 'a source is needed')
  }
}
