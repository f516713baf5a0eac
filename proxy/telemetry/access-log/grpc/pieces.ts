import type { ConnectionFacts } from '../../../decide/connection-facts.ts'
import type { ClusterPlan, EndpointPlan, RoutePlan } from '../../../plan/plan.ts'
import type { PeerIdentity } from '../../../tls/peer.ts'
import type { Subject } from '../../cel/attributes.ts'
import { WireWriter } from '../../wire/wire-writer.ts'
import { bytesOf } from '../escape.ts'

/*
 * What is the same for many entries is written once, and kept as bytes with what it tells of. What looks for a piece has no closure in it,
 * which would be made for each entry with all that it needs.
 */

const METHODS: Readonly<Record<string, number>> = {
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  CONNECT: 6,
  OPTIONS: 7,
  TRACE: 8,
  PATCH: 9,
}
const TLS_VERSIONS: Readonly<Record<string, number>> = { TLSv1: 1, 'TLSv1.1': 2, 'TLSv1.2': 3, 'TLSv1.3': 4 }

const scratch = new WireWriter(1024)

function written(write: (out: WireWriter) => void): Uint8Array {
  scratch.cut(0)
  write(scratch)
  return scratch.copy()
}

/** Of the client's connection: its ends, its TLS, and that the entry is one of one of its type (AccessLogType). */
export class ConnectionPieces {
  readonly whole: Uint8Array
  /** The same but for who the client is, which somebody else says. */
  readonly withoutClient: Uint8Array
  #method = ''
  #scheme = ''
  #authority = ''
  #start: Uint8Array = NO_BYTES

  constructor(facts: ConnectionFacts, type: number) {
    this.withoutClient = written((out) => writeConnection(out, facts, type))
    this.whole = written((out) => {
      writeConnection(out, facts, type)
      writeAddress(out, 2, facts.sourceAddress, facts.sourcePort)
    })
  }

  /** What a request's start says but for the path. Those of one connection mostly say the same. */
  startOf(method: string, scheme: string, authority: string): Uint8Array {
    if (method !== this.#method || authority !== this.#authority || scheme !== this.#scheme) {
      this.#method = method
      this.#authority = authority
      this.#scheme = scheme
      this.#start = writtenStart(method, scheme, authority)
    }
    return this.#start
  }
}

function writtenStart(method: string, scheme: string, authority: string): Uint8Array {
  return written((out) => {
    out.number(1, METHODS[method] ?? 0)
    out.text(2, scheme)
    out.text(3, authority)
  })
}

const NO_BYTES = new Uint8Array(0)
const connections = new WeakMap<ConnectionFacts, ConnectionPieces>()

export function connectionPieces(facts: ConnectionFacts, type: number): ConnectionPieces {
  let pieces = connections.get(facts)
  if (pieces === undefined) {
    pieces = new ConnectionPieces(facts, type)
    connections.set(facts, pieces)
  }
  return pieces
}

interface UpstreamPiece {
  readonly cluster: ClusterPlan | undefined
  readonly route: RoutePlan | undefined
  readonly bytes: Uint8Array
}

const upstreams = new WeakMap<object, UpstreamPiece>()

/** Where the request went: the endpoint's address, and the names of the cluster and the route. */
export function upstreamPiece({ host, cluster }: Subject, route: RoutePlan | undefined): Uint8Array {
  const clusterPlan = cluster?.plan
  const key = host ?? clusterPlan ?? route
  if (key === undefined) return NO_BYTES
  // A host nearly always serves one route of one cluster.
  const kept = upstreams.get(key)
  if (kept !== undefined && kept.cluster === clusterPlan && kept.route === route) return kept.bytes
  const bytes = writtenUpstream(host, clusterPlan, route)
  upstreams.set(key, { cluster: clusterPlan, route, bytes })
  return bytes
}

function writtenUpstream(
  host: Subject['host'],
  cluster: ClusterPlan | undefined,
  route: RoutePlan | undefined,
): Uint8Array {
  return written((out) => {
    if (host !== undefined) writeEndpoint(out, host.plan)
    if (cluster !== undefined) out.text(15, bytesOf(cluster.name))
    if (route !== undefined) out.text(19, bytesOf(route.name))
  })
}

let lastStatus = 0
let lastDetail = ''
let lastAnswer: Uint8Array = NO_BYTES

/** What an answer's start says, and the reason for it. Most say the same. */
export function answerPiece(status: number, detail: string): Uint8Array {
  if (status !== lastStatus || detail !== lastDetail) {
    lastStatus = status
    lastDetail = detail
    lastAnswer = writtenAnswer(status, detail)
  }
  return lastAnswer
}

function writtenAnswer(status: number, detail: string): Uint8Array {
  return written((out) => {
    if (status > 0) {
      const code = out.begin(1)
      out.number(1, status)
      out.end(code)
    }
    out.text(6, detail)
  })
}

function writeConnection(out: WireWriter, facts: ConnectionFacts, type: number): void {
  out.double(1, 1)
  out.number(33, type)
  writeAddress(out, 3, facts.destinationAddress, facts.destinationPort)
  if (facts.tls !== undefined) writeTls(out, facts, facts.tls)
  writeAddress(out, 20, facts.directSourceAddress, facts.sourcePort)
}

function writeEndpoint(out: WireWriter, { address, port, unixPath }: EndpointPlan): void {
  if (unixPath === '') writeAddress(out, 13, address, port)
}

/** envoy.config.core.v3.Address of a socket. */
function writeAddress(out: WireWriter, field: number, ip: string, port: number): void {
  if (ip === '') return
  const address = out.begin(field)
  const socket = out.begin(1)
  out.text(2, ip)
  out.number(3, port)
  out.end(socket)
  out.end(address)
}

function writeTls(out: WireWriter, facts: ConnectionFacts, tls: NonNullable<ConnectionFacts['tls']>): void {
  const properties = out.begin(4)
  out.number(1, TLS_VERSIONS[tls.version] ?? 0)
  out.text(3, tls.serverName || facts.serverName)
  const local = out.begin(4)
  for (const uri of tls.localUris) writeUri(out, uri)
  out.end(local)
  if (tls.peer !== undefined) writePeer(out, tls.peer)
  out.end(properties)
}

function writePeer(out: WireWriter, { altNames, subject }: PeerIdentity): void {
  const peer = out.begin(5)
  for (const { type, value } of altNames) {
    if (type === 'uri') writeUri(out, value)
    else if (type === 'dns') {
      const name = out.begin(1)
      out.text(2, bytesOf(value))
      out.end(name)
    }
  }
  out.text(2, subject)
  out.end(peer)
}

function writeUri(out: WireWriter, uri: string): void {
  const name = out.begin(1)
  out.text(1, bytesOf(uri))
  out.end(name)
}
