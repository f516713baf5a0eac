import type { NodeFacts } from '../../node-facts.ts'
import { UNKNOWN_WORKLOAD, type WorkloadFacts } from '../../plan/workload.ts'
import type { HeaderBlock } from '../../stream/header-block.ts'
import { spells } from '../../stream/header-block.ts'
import type { CallRecord } from '../call-record.ts'
import type { CallObserver, CallObserverPlan, ObserverContext } from '../observer.ts'
import type { StatsPlan } from './config.ts'
import { PeerExchange } from './exchange.ts'
import { tagValues } from './labels.ts'
import { type Outcome, OutcomeCache } from './outcome-cache.ts'
import { ownPrincipal } from './own-principal.ts'
import { peerOfPrincipal } from './peer-metadata.ts'
import { seriesTable } from './series-sink.ts'
import type { Series, SeriesTable } from './series-table.ts'
import { serviceOf } from './service-of.ts'
import { workloadOfMetadata } from './workload-of-node.ts'

const GRPC_TYPE = 'application/grpc'

/** Istio's metrics of a connection manager's calls, and the exchange of metadata that they need; either may be absent. */
export function istioCallObserver(
  direction: 'inbound' | 'outbound' | 'unspecified',
  stats: StatsPlan | undefined,
  exchanges: boolean,
): CallObserverPlan {
  return {
    create(context) {
      const exchange = exchanges
        ? context.sink('istio.peer_metadata', () => new ExchangeSink(context)).exchange
        : undefined
      return direction === 'inbound'
        ? new InboundObserver(context, stats, exchange)
        : new OutboundObserver(context, stats, exchange)
    },
  }
}

/** What was heard of peers outlives plans. */
class ExchangeSink {
  readonly exchange: PeerExchange

  constructor({ node }: ObserverContext) {
    this.exchange = new PeerExchange(node)
  }

  close(): void {}
}

/** An outcome that is filled anew for each call. */
type Draft = { -readonly [Key in keyof Outcome]: Outcome[Key] }

abstract class IstioObserver implements CallObserver {
  protected readonly own: WorkloadFacts
  protected readonly stats: StatsPlan | undefined
  protected readonly exchange: PeerExchange | undefined
  readonly responseFields: readonly string[]
  readonly #node: NodeFacts
  readonly #table: SeriesTable | undefined
  readonly #cache = new OutcomeCache()
  protected readonly draft: Draft = {
    cluster: undefined,
    own: undefined,
    principal: '',
    host: '',
    routeName: '',
    isGrpc: false,
    status: 0,
    grpcStatus: -1,
    flag: '',
    retryFlag: '',
    ending: '',
    tags: [],
  }

  constructor(context: ObserverContext, stats: StatsPlan | undefined, exchange: PeerExchange | undefined) {
    this.own = workloadOfMetadata(context.node.metadata)
    this.#node = context.node
    this.responseFields = stats?.expressions.flatMap(({ responseFields }) => responseFields) ?? []
    this.stats = stats
    this.exchange = exchange
    this.#table = stats && seriesTable(context)
  }

  onRequest(record: CallRecord): void {
    if (this.#table !== undefined) record.isGrpc = isGrpcCall(record.head)
  }

  onResponse(record: CallRecord, fields: HeaderBlock): void {
    if (record.isGrpc) record.grpcStatus = statusNumber(fields.get('grpc-status'))
  }

  onEnd(record: CallRecord): void {
    const table = this.#table
    const { stats, draft } = this
    if (table === undefined || stats === undefined) return
    const { decision, cluster } = record
    draft.cluster = cluster?.plan
    draft.isGrpc = record.isGrpc
    draft.status = record.status
    draft.grpcStatus = record.isGrpc ? grpcStatusOf(record) : -1
    draft.flag = decision.flag
    draft.retryFlag = decision.retryFlag
    draft.ending = record.ending
    if (draft.cluster?.service === undefined) {
      draft.host = stats.usesHost ? record.head.authority : ''
      draft.routeName = decision.route?.name ?? ''
    } else {
      draft.host = ''
      draft.routeName = ''
    }
    if (stats.expressions.length > 0) draft.tags = tagValues(stats.expressions, record, this.#node)
    const peer = this.identify(record, draft)
    let series = this.#cache.find(peer, draft)
    if (series === undefined) {
      series = this.#find(table, stats, peer, record)
      this.#cache.keep(peer, draft, series)
    }
    count(series, record)
  }

  /** Fills in how the peer proved who it is, and says who it is. */
  protected abstract identify(record: CallRecord, draft: Draft): WorkloadFacts

  protected abstract principals(record: CallRecord): { source: string; destination: string }

  #find(table: SeriesTable, stats: StatsPlan, peer: WorkloadFacts, record: CallRecord): Series {
    const { draft, own } = this
    const { source: sourcePrincipal, destination: destinationPrincipal } = this.principals(record)
    const isInbound = stats.reporter === 'destination'
    const [source, destination] = isInbound ? [peer, own] : [own, peer]
    const isMutual = record.facts.tls?.isPeerVerified === true
    return table.find(
      {
        reporter: stats.reporter,
        source,
        sourcePrincipal,
        destination,
        destinationPrincipal,
        service: serviceOf(draft.cluster, draft.routeName, draft.host, destination.namespace),
        protocol: draft.isGrpc ? 'grpc' : 'http',
        flags: record.flags.join(','),
        security: !isInbound ? 'unknown' : isMutual ? 'mutual_tls' : 'none',
        answer: { status: draft.status, grpcStatus: draft.grpcStatus },
      },
      stats,
      draft.tags,
    )
  }
}

/** Calls that come to the workload: the peer is who calls. */
class InboundObserver extends IstioObserver {
  override onRequest(record: CallRecord): void {
    super.onRequest(record)
    this.exchange?.onRequest(record)
  }

  override onResponse(record: CallRecord, fields: HeaderBlock): void {
    super.onResponse(record, fields)
    this.exchange?.onAnswer(record, fields)
  }

  protected identify({ peer, facts }: CallRecord, draft: Draft): WorkloadFacts {
    const { tls } = facts
    const isVerified = tls?.isPeerVerified === true
    draft.principal = isVerified ? (tls.peer?.uri ?? '') : ''
    draft.own = isVerified ? (tls.localUris[0] ?? '') : undefined
    if (peer !== undefined) return peer
    return draft.principal === '' ? UNKNOWN_WORKLOAD : peerOfPrincipal(draft.principal)
  }

  protected principals({ facts: { tls } }: CallRecord) {
    if (tls?.isPeerVerified !== true) return { source: '', destination: '' }
    return { source: tls.peer?.uri ?? '', destination: tls.localUris[0] ?? '' }
  }
}

/** Calls that leave the workload, or pass a gateway: the peer is who answers. */
class OutboundObserver extends IstioObserver {
  onForward(record: CallRecord): void {
    this.exchange?.onForward(record)
  }

  override onResponse(record: CallRecord, fields: HeaderBlock): void {
    super.onResponse(record, fields)
    this.exchange?.onUpstreamAnswer(record, fields)
  }

  protected identify({ peer, host }: CallRecord, draft: Draft): WorkloadFacts {
    draft.principal = host?.peerUri ?? ''
    draft.own = host?.tls
    if (peer !== undefined) return peer
    if (host?.plan.workload !== undefined) return host.plan.workload
    return draft.principal === '' ? UNKNOWN_WORKLOAD : peerOfPrincipal(draft.principal)
  }

  protected principals({ host }: CallRecord) {
    if (host?.tls === undefined) return { source: '', destination: '' }
    return { source: ownPrincipal(host.tls), destination: host.peerUri }
  }
}

function count(series: Series, record: CallRecord): void {
  series.requests?.inc()
  series.duration?.record(record.endMs - record.startMs)
  series.requestBytes?.record(record.receivedBytes)
  series.responseBytes?.record(record.sentBytes)
  if (!record.isGrpc) return
  series.requestMessages?.add(record.requestMessages.count)
  series.responseMessages?.add(record.responseMessages.count)
}

/** Without making a text of the field. */
function isGrpcCall(head: HeaderBlock): boolean {
  const i = head.find('content-type')
  if (i < 0) return false
  const start = head.at[4 * i + 2] as number
  const length = (head.at[4 * i + 3] as number) - start
  if (length < GRPC_TYPE.length || !spells(head.bytes, head.base + start, GRPC_TYPE)) return false
  const next = head.bytes[head.base + start + GRPC_TYPE.length]
  return length === GRPC_TYPE.length || next === PLUS || next === SEMICOLON
}

const PLUS = 0x2b
const SEMICOLON = 0x3b
const TRAILER_STATUS = /(?:^|\n)grpc-status:[ \t]*(\d{1,3})[ \t]*(?:\r|\n|$)/i

function grpcStatusOf({ trailers, grpcStatus }: CallRecord): number {
  if (trailers === '') return grpcStatus
  const found = TRAILER_STATUS.exec(trailers)
  return found === null ? grpcStatus : Number(found[1])
}

function statusNumber(text: string | undefined): number {
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : -1
}
