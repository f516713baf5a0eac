import type { ConnectionFacts } from '../../../decide/connection-facts.ts'
import type { ClusterPlan, EndpointPlan, RoutePlan } from '../../../plan/plan.ts'
import type { PeerIdentity } from '../../../tls/peer.ts'
import type { Subject } from '../../cel/attributes.ts'
import { WireWriter } from '../../wire/wire-writer.ts'
import { bytesOf } from '../escape.ts'
import { ENTRY, REQUEST, RESPONSE } from './fields.ts'
import { EntryTemplate } from './template.ts'

/*
 * What is the same for many entries is written once, and kept as bytes with what it tells of: as whole parts of an entry, since parts of
 * one kind are merged by who reads them (protobuf.dev, "Encoding", "Last One Wins"). What looks for a piece has no closure in it,
 * which would be made for each entry with all that it needs.
 */

/** AccessLogType. */
export const TYPE = { tcpConnectionEnd: 3, downstreamEnd: 6 } as const

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

export const NOTHING: Uint8Array = new Uint8Array(0)

/** To make a template takes as long as several entries: what has not come as often one after the other stays beside it. */
const OFTEN = 16
/** Templates are kept for each connection. */
const LONGEST_PATH = 256

/** What entries of the calls of one connection have alike: they mostly say the same. */
class ConnectionPiece {
  #scheme = ''
  #authority = ''
  #version = 0
  #tellsClient = false
  #template: EntryTemplate | undefined
  /** Those of the last call, and how often they had come before without others between. */
  #path = ''
  #pathRepeats = 0
  #place = NOTHING
  #placeRepeats = 0
  #method = ''
  #methodNumber = 0

  /** `path` and `place`, parts of an entry, are in it if they came often; it says which it has. */
  template(
    facts: ConnectionFacts,
    scheme: string,
    authority: string,
    version: number,
    tellsClient: boolean,
    path: string,
    place: Uint8Array,
  ): EntryTemplate {
    if (path === this.#path) this.#pathRepeats++
    else {
      this.#path = path
      this.#pathRepeats = 0
    }
    if (place === this.#place) this.#placeRepeats++
    else {
      this.#place = place
      this.#placeRepeats = 0
    }
    const oftenPath = this.#pathRepeats < OFTEN || path.length > LONGEST_PATH ? '' : path
    const oftenPlace = this.#placeRepeats < OFTEN ? NOTHING : place
    const template = this.#template
    if (
      template !== undefined &&
      (oftenPath === '' || oftenPath === template.path) &&
      (oftenPlace === NOTHING || oftenPlace === template.place) &&
      authority === this.#authority &&
      scheme === this.#scheme &&
      version === this.#version &&
      tellsClient === this.#tellsClient
    ) {
      return template
    }
    this.#scheme = scheme
    this.#authority = authority
    this.#version = version
    this.#tellsClient = tellsClient
    const start = writtenStart(facts, scheme, authority, version, tellsClient, oftenPath)
    this.#template = new EntryTemplate(start, oftenPath, oftenPlace)
    return this.#template
  }

  /** RequestMethod. */
  numberOf(method: string): number {
    if (method !== this.#method) {
      this.#method = method
      this.#methodNumber = METHODS[method] ?? 0
    }
    return this.#methodNumber
  }
}

export function connectionPiece(facts: ConnectionFacts): ConnectionPiece {
  facts.logNote ??= new ConnectionPiece()
  return facts.logNote as ConnectionPiece
}

/** Parts of an HTTPAccessLogEntry. `tellsClient` false: who the client is, somebody else says. */
function writtenStart(
  facts: ConnectionFacts,
  scheme: string,
  authority: string,
  version: number,
  tellsClient: boolean,
  path: string,
): Uint8Array {
  return written((out) => {
    const common = out.begin(ENTRY.common)
    writeConnection(out, facts, TYPE.downstreamEnd)
    if (tellsClient) writeClient(out, facts)
    out.end(common)
    out.number(ENTRY.version, version)
    const request = out.begin(ENTRY.request)
    out.text(REQUEST.scheme, scheme)
    out.text(REQUEST.authority, authority)
    out.text(REQUEST.path, path)
    out.end(request)
  })
}

/** Where requests went that were served alike, as a part of an entry; and with the first answer from there, which most are like. */
interface UpstreamPiece {
  readonly cluster: ClusterPlan | undefined
  readonly route: RoutePlan | undefined
  readonly piece: Uint8Array
  readonly status: number
  readonly detail: string
  readonly withAnswer: Uint8Array
}

const NOWHERE: UpstreamPiece = {
  cluster: undefined,
  route: undefined,
  piece: NOTHING,
  status: -1,
  detail: '',
  withAnswer: NOTHING,
}
/** By the cluster or the route, where it came to no host. */
const hostless = new WeakMap<object, UpstreamPiece>([[NOWHERE, NOWHERE]])

/** Of the endpoint's address, and the names of the cluster and the route. `status` and `detail`: of the answer. */
export function upstreamPiece(
  { host, cluster }: Subject,
  route: RoutePlan | undefined,
  status: number,
  detail: string,
): UpstreamPiece {
  const clusterPlan = cluster?.plan
  const key = clusterPlan ?? route ?? NOWHERE
  // A host nearly always serves one route of one cluster.
  const kept = host === undefined ? hostless.get(key) : (host.logNote as UpstreamPiece | undefined)
  if (kept !== undefined && kept.cluster === clusterPlan && kept.route === route) return kept
  const piece = writtenUpstream(host, clusterPlan, route)
  const withAnswer = Buffer.concat([piece, answerPiece(status, detail)])
  const made = { cluster: clusterPlan, route, piece, status, detail, withAnswer }
  if (host === undefined) hostless.set(key, made)
  else host.logNote = made
  return made
}

function writtenUpstream(
  host: Subject['host'],
  cluster: ClusterPlan | undefined,
  route: RoutePlan | undefined,
): Uint8Array {
  return written((out) => {
    const common = out.begin(ENTRY.common)
    if (host !== undefined) writeEndpoint(out, host.plan)
    if (cluster !== undefined) out.text(15, bytesOf(cluster.name))
    if (route !== undefined) out.text(19, bytesOf(route.name))
    out.end(common)
  })
}

interface AnswerPiece {
  readonly detail: string
  readonly piece: Uint8Array
}

/** By the status: the last of each. */
const answers = new Map<number, AnswerPiece>()

/** What an answer's start says, and the reason for it, as a part of an entry. */
export function answerPiece(status: number, detail: string): Uint8Array {
  const kept = answers.get(status)
  if (kept !== undefined && kept.detail === detail) return kept.piece
  const piece = writtenAnswer(status, detail)
  answers.set(status, { detail, piece })
  return piece
}

function writtenAnswer(status: number, detail: string): Uint8Array {
  return written((out) => {
    const response = out.begin(ENTRY.response)
    if (status > 0) {
      const code = out.begin(RESPONSE.code)
      out.number(1, status)
      out.end(code)
    }
    out.text(RESPONSE.detail, detail)
    out.end(response)
  })
}

/** Of a connection: its other ends, its TLS, and that the entry is one of one of its type (AccessLogType). */
export function writeConnection(out: WireWriter, facts: ConnectionFacts, type: number): void {
  out.double(1, 1)
  out.number(33, type)
  writeAddress(out, 3, facts.destinationAddress, facts.destinationPort)
  if (facts.tls !== undefined) writeTls(out, facts, facts.tls)
  writeAddress(out, 20, facts.directSourceAddress, facts.sourcePort)
}

export function writeClient(out: WireWriter, { sourceAddress, sourcePort }: ConnectionFacts): void {
  writeAddress(out, 2, sourceAddress, sourcePort)
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
