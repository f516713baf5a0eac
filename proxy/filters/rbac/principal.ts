import type { Principal } from '../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { refuse } from '../../plan/plan-error.ts'
import { type AddressOf, addressLeaf, headerLeaf, pathLeaf, peerLeaf } from './leaves.ts'
import { metadataLeaf } from './metadata-leaf.ts'
import { ANY, combine, type Predicate } from './predicate.ts'

const direct: AddressOf = ({ facts }) => facts.directSourceAddress
const connection: AddressOf = ({ facts }) => facts.sourceAddress
const remote: AddressOf = ({ remoteAddress }) => remoteAddress

/** envoy.config.rbac.v3.Principal. Throws a PlanError that names the field. */
export function compilePrincipal({ identifier }: Principal, where: string): Predicate {
  switch (identifier.case) {
    case 'andIds':
      return combine('and', compileSet(identifier.value.ids, `${where}.and_ids`))
    case 'orIds':
      return combine('or', compileSet(identifier.value.ids, `${where}.or_ids`))
    case 'notId':
      return { kind: 'not', child: compilePrincipal(identifier.value, `${where}.not_id`) }
    case 'any':
      return identifier.value ? ANY : refuse(`${where}.any`, 'must be true')
    case 'authenticated':
      return peerLeaf(identifier.value.principalName, `${where}.authenticated.principal_name`)
    case 'sourceIp':
      return addressLeaf('source', identifier.value, connection, `${where}.source_ip`)
    case 'directRemoteIp':
      return addressLeaf('direct source', identifier.value, direct, `${where}.direct_remote_ip`)
    case 'remoteIp':
      return addressLeaf('client', identifier.value, remote, `${where}.remote_ip`)
    case 'header':
      return headerLeaf(identifier.value, `${where}.header`)
    case 'urlPath':
      return pathLeaf(identifier.value, `${where}.url_path`)
    case 'metadata':
      return metadataLeaf(identifier.value, `${where}.metadata`)
    case 'filterState':
      return refuse(`${where}.filter_state`, 'not supported: no filter here keeps state under a name')
    default:
      return refuse(where, `principal ${identifier.case ?? 'without an identifier'} is not supported`)
  }
}

function compileSet(ids: readonly Principal[], where: string): Predicate[] {
  if (ids.length === 0) refuse(where, 'at least one id is needed')
  return ids.map((id, i) => compilePrincipal(id, `${where}.ids[${i}]`))
}
