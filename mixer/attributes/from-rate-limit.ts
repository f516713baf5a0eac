import type { RateLimitDescriptor } from '../../api/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js'
import { parseClusterName } from '../../api/names.ts'
import { namespaceOf, principalOf, ReadBag, serviceAccountOf } from './read.ts'
import { parseValue, toldAttributes } from './text.ts'
import type { AttributeBag, AttributeTypes, Value } from './value.ts'

const NO_READERS = new Map<string, (source: undefined) => Value | undefined>()

/** What entries are called that Envoy's own actions make. */
const REMOTE_ADDRESS = 'remote_address'
const DESTINATION_CLUSTER = 'destination_cluster'

/**
 * The attributes of one descriptor (envoy.extensions.common.ratelimit.v3): entries whose keys are names of attributes, such as
 * `request.headers[x-user]` or `destination.service.host`, and those of Envoy's actions remote_address and destination_cluster. Any
 * other entry says nothing.
 */
export function descriptorBag({ entries }: RateLimitDescriptor, types: AttributeTypes): AttributeBag {
  const told = new Map<string, Value>([['context.reporter.kind', 'inbound']])
  for (const { key, value } of entries) {
    if (key === REMOTE_ADDRESS) {
      const ip = parseValue('IP_ADDRESS', value)
      if (ip !== undefined) told.set('source.ip', ip)
    } else if (key === DESTINATION_CLUSTER) {
      const cluster = parseClusterName(value)
      if (cluster === undefined) continue
      told.set('context.reporter.kind', cluster.direction)
      if (cluster.host !== '') told.set('destination.service.host', cluster.host)
      told.set('destination.port', cluster.port)
    }
  }
  const named = entries.map(({ key, value }) => [key, value] as const)
  return new ReadBag(undefined, NO_READERS, withCaller(toldAttributes(named, types, told)))
}

/** What a certificate says, a descriptor tells as it is written there. */
function withCaller(told: Map<string, Value>): Map<string, Value> {
  const identity = told.get('source.principal')
  if (typeof identity !== 'string') return told
  for (const [name, value] of [
    ['source.principal', principalOf(identity)],
    ['source.user', principalOf(identity)],
    ['source.namespace', namespaceOf(identity)],
    ['source.serviceAccount', serviceAccountOf(identity)],
  ] as const) {
    if (value !== undefined && (name === 'source.principal' || !told.has(name))) told.set(name, value)
  }
  return told
}
