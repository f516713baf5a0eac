import type { NodeFacts } from '../../node-facts.ts'
import type { ClusterPlan } from '../../plan/plan.ts'
import type { WorkloadFacts } from '../../plan/workload.ts'
import type { HeaderBlock } from '../../stream/header-block.ts'
import type { TlsFacts } from '../../tls/peer.ts'
import type { Cluster } from '../../upstream/cluster.ts'
import type { CallRecord } from '../call-record.ts'
import { ownFields, PEER_FIELD, PEER_ID_FIELD, Peers } from './peer-metadata.ts'

/** The protocols of ALPN that only proxies of a mesh offer begin so. */
const MESH_ALPN = 'istio'

/** What a connection's peer said last: the next request says the same. */
interface Heard {
  readonly id: Buffer
  readonly value: Buffer
  readonly peer: WorkloadFacts | undefined
}

/**
 * Tells peers of the mesh who this proxy is, and hears from them who they are, in Istio's fields. Only what comes over
 * mutual TLS of the mesh is believed; in every case the fields end here.
 */
export class PeerExchange {
  readonly #own: { readonly id: string; readonly value: string }
  readonly #peers = new Peers()
  readonly #heard = new WeakMap<TlsFacts, Heard>()
  readonly #isOfMesh = new WeakMap<ClusterPlan, boolean>()

  constructor(node: NodeFacts) {
    this.#own = ownFields(node)
  }

  /** A request that comes to the workload. */
  onRequest(record: CallRecord): void {
    const { head, facts } = record
    const value = head.find(PEER_FIELD)
    const id = head.find(PEER_ID_FIELD)
    if (value < 0 && id < 0) return
    const { tls } = facts
    if (tls?.isPeerVerified === true && value >= 0 && id >= 0) {
      record.askedWho = true
      record.peer = this.#hear(tls, head, id, value)
    }
    // Of one that comes several times none is believed twice.
    for (let i = value; i >= 0; i = head.find(PEER_FIELD, i + 1)) head.removeAt(i)
    for (let i = id; i >= 0; i = head.find(PEER_ID_FIELD, i + 1)) head.removeAt(i)
  }

  #hear(tls: TlsFacts, head: HeaderBlock, id: number, value: number): WorkloadFacts | undefined {
    let heard = this.#heard.get(tls)
    if (heard !== undefined && isField(head, value, heard.value) && isField(head, id, heard.id)) return heard.peer
    const [idText, valueText] = [head.value(id), head.value(value)]
    heard = {
      id: Buffer.from(idText, 'latin1'),
      value: Buffer.from(valueText, 'latin1'),
      peer: this.#peers.find(tls.peer?.uri ?? '', idText, valueText),
    }
    this.#heard.set(tls, heard)
    return heard.peer
  }

  /** The answer of the workload: it is told who answers to those who have said who asks. */
  onAnswer(record: CallRecord, fields: HeaderBlock): void {
    // What the workload itself says is not believed of anybody.
    fields.remove(PEER_FIELD)
    fields.remove(PEER_ID_FIELD)
    if (!record.askedWho) return
    fields.append(PEER_FIELD, this.#own.value)
    fields.append(PEER_ID_FIELD, this.#own.id)
  }

  /** A request that leaves. Whoever is not of the mesh is told nothing. */
  onForward({ head, cluster }: CallRecord): void {
    head.remove(PEER_FIELD)
    head.remove(PEER_ID_FIELD)
    if (cluster === undefined || !this.#tells(cluster)) return
    head.append(PEER_FIELD, this.#own.value)
    head.append(PEER_ID_FIELD, this.#own.id)
  }

  /** The answer to it. */
  onUpstreamAnswer(record: CallRecord, fields: HeaderBlock): void {
    const { host } = record
    const value = fields.get(PEER_FIELD)
    if (value === undefined && !fields.has(PEER_ID_FIELD)) return
    const isPeer = host !== undefined && host.peerUri !== '' && host.tls !== undefined && isMesh(host.tls.alpnProtocols)
    if (isPeer && value !== undefined && record.isUpstreamAnswer) {
      record.peer = this.#peers.find(host.peerUri, fields.get(PEER_ID_FIELD) ?? '', value)
    }
    fields.remove(PEER_FIELD)
    fields.remove(PEER_ID_FIELD)
  }

  #tells(cluster: Cluster): boolean {
    const { plan } = cluster
    let tells = this.#isOfMesh.get(plan)
    if (tells === undefined) {
      tells = cluster.tlsPlans.some(({ alpnProtocols }) => isMesh(alpnProtocols))
      this.#isOfMesh.set(plan, tells)
    }
    return tells
  }
}

function isMesh(protocols: readonly string[]): boolean {
  return protocols.some((protocol) => protocol.startsWith(MESH_ALPN))
}

/** Whether the value of a received field is these bytes. No text is made of it: it is long, and the same each time. */
function isField({ at, base, bytes }: HeaderBlock, field: number, known: Buffer): boolean {
  const start = base + (at[4 * field + 2] as number)
  const end = base + (at[4 * field + 3] as number)
  return end - start === known.length && bytes.compare(known, 0, known.length, start, end) === 0
}
