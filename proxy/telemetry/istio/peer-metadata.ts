import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from '@bufbuild/protobuf'
import { StructSchema } from '@bufbuild/protobuf/wkt'
import type { NodeFacts } from '../../node-facts.ts'
import { UNKNOWN_WORKLOAD, type WorkloadFacts } from '../../plan/workload.ts'
import { toldMetadata, workloadOfMetadata } from './workload-of-node.ts'

/** Fields by which Istio's proxies tell each other who they are. Never passed on to applications. */
export const PEER_FIELD = 'x-envoy-peer-metadata'
export const PEER_ID_FIELD = 'x-envoy-peer-metadata-id'

/** Of base64. Istio's own are below 1 KiB. */
const MAX_LENGTH = 8 * 1024
const MAX_ID_LENGTH = 512
const MAX_REMEMBERED = 4096
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** What a proxy says of itself: the values of the two fields. */
export function ownFields(node: NodeFacts): { readonly id: string; readonly value: string } {
  const struct = fromJson(StructSchema, toldMetadata(node))
  return { id: node.id, value: Buffer.from(toBinary(StructSchema, struct)).toString('base64') }
}

/** What the value says; undefined for what is malformed, or too long to be looked at. */
export function readPeer(value: string): WorkloadFacts | undefined {
  if (value.length > MAX_LENGTH || !BASE64.test(value)) return undefined
  try {
    const struct = fromBinary(StructSchema, Buffer.from(value, 'base64'))
    return workloadOfMetadata(toJson(StructSchema, struct) as JsonObject)
  } catch {
    return undefined
  }
}

/**
 * Peers by what they said. The same peer is the same object, which series are found by; what one principal says is never taken for
 * what another has said.
 */
export class Peers {
  readonly #known = new Map<string, Map<string, { value: string; peer: WorkloadFacts }>>()
  #count = 0

  /** `principal` is who said it, verified. */
  find(principal: string, id: string, value: string): WorkloadFacts | undefined {
    if (id.length > MAX_ID_LENGTH) return undefined
    const known = this.#known.get(principal)?.get(id)
    if (known !== undefined && known.value === value) return known.peer
    const peer = readPeer(value)
    if (peer === undefined || !isOf(principal, peer)) return undefined
    this.#remember(principal, id, value, peer)
    return peer
  }

  #remember(principal: string, id: string, value: string, peer: WorkloadFacts): void {
    if (this.#count >= MAX_REMEMBERED) {
      this.#known.clear()
      this.#count = 0
    }
    let ofPrincipal = this.#known.get(principal)
    if (ofPrincipal === undefined) {
      ofPrincipal = new Map()
      this.#known.set(principal, ofPrincipal)
    }
    if (!ofPrincipal.has(id)) this.#count++
    ofPrincipal.set(id, { value, peer })
  }
}

const SPIFFE_NAMESPACE = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//

function namespaceOf(principal: string): string {
  return SPIFFE_NAMESPACE.exec(principal)?.[1] ?? ''
}

/** A workload may say what it likes of itself, but not that it is in another's namespace. */
function isOf(principal: string, { namespace }: WorkloadFacts): boolean {
  const proven = namespaceOf(principal)
  return proven === '' || namespace === '' || namespace === proven
}

const byPrincipal = new Map<string, WorkloadFacts>()

/** What is known of a peer by its certificate alone. */
export function peerOfPrincipal(principal: string): WorkloadFacts {
  const known = byPrincipal.get(principal)
  if (known !== undefined) return known
  const namespace = namespaceOf(principal)
  if (namespace === '') return UNKNOWN_WORKLOAD
  const peer = { ...UNKNOWN_WORKLOAD, namespace }
  if (byPrincipal.size >= MAX_REMEMBERED) byPrincipal.clear()
  byPrincipal.set(principal, peer)
  return peer
}
