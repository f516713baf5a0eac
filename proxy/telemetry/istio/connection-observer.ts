import type { Clock, Timer } from '../../../lib/clock.ts'
import { UNKNOWN_WORKLOAD } from '../../plan/workload.ts'
import type { ConnectionRecord } from '../connection-record.ts'
import type { ConnectionObserver, ConnectionObserverPlan, ObserverContext } from '../observer.ts'
import type { Sink } from '../sinks.ts'
import type { StatsPlan } from './config.ts'
import { type SeriesSubject, tagValues } from './labels.ts'
import { ownPrincipal } from './own-principal.ts'
import { peerOfPrincipal } from './peer-metadata.ts'
import { seriesTable } from './series-sink.ts'
import type { Series, SeriesTable } from './series-table.ts'
import { serviceOf } from './service-of.ts'
import { workloadOfMetadata } from './workload-of-node.ts'

/** Istio's metrics of a TCP proxy's connections. */
export function istioConnectionObserver(stats: StatsPlan): ConnectionObserverPlan {
  return { create: (context) => new IstioConnectionObserver(context, stats) }
}

/** A connection, and how much of it has been counted. */
class Open {
  readonly record: ConnectionRecord
  readonly series: Series
  #sent = 0
  #received = 0

  constructor(record: ConnectionRecord, series: Series) {
    this.record = record
    this.series = series
    series.holds++
    series.opened?.inc()
  }

  report(): void {
    const { sentBytes, receivedBytes } = this.record
    if (sentBytes > this.#sent) this.series.sentBytes?.add(sentBytes - this.#sent)
    if (receivedBytes > this.#received) this.series.receivedBytes?.add(receivedBytes - this.#received)
    this.#sent = sentBytes
    this.#received = receivedBytes
  }

  end(): void {
    this.report()
    this.series.closed?.inc()
    this.series.holds--
  }
}

/** The open connections of a thread, which are counted now and then, all at once. */
class OpenConnections implements Sink {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #open = new Map<ConnectionRecord, Open>()
  #timer: Timer | undefined

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock
    this.#intervalMs = intervalMs
  }

  add(record: ConnectionRecord, series: Series): void {
    this.#open.set(record, new Open(record, series))
    this.#arm()
  }

  /** Whether it was there. */
  end(record: ConnectionRecord): boolean {
    this.#open.get(record)?.end()
    return this.#open.delete(record)
  }

  #arm(): void {
    this.#timer ??= this.#clock.setTimer(this.#intervalMs, () => {
      this.#timer = undefined
      for (const open of this.#open.values()) open.report()
      if (this.#open.size > 0) this.#arm()
    })
  }

  close(): void {
    this.#timer?.cancel()
  }
}

class IstioConnectionObserver implements ConnectionObserver {
  readonly #own
  readonly #node
  readonly #stats: StatsPlan
  readonly #table: SeriesTable
  readonly #open: OpenConnections

  constructor(context: ObserverContext, stats: StatsPlan) {
    const { reportMs } = stats
    this.#node = context.node
    this.#own = workloadOfMetadata(context.node.metadata)
    this.#stats = stats
    this.#table = seriesTable(context)
    this.#open = context.sink(`istio.stats connections ${reportMs}`, () => {
      return new OpenConnections(context.stream.clock, reportMs)
    })
  }

  onConnected(record: ConnectionRecord): void {
    this.#open.add(record, this.#find(record))
  }

  onEnd(record: ConnectionRecord): void {
    if (this.#open.end(record)) return
    // It came to nothing, and is counted all the same.
    const series = this.#find(record)
    series.opened?.inc()
    series.closed?.inc()
  }

  #find(record: ConnectionRecord): Series {
    const { cluster, host, facts, flag } = record
    const isInbound = this.#stats.reporter === 'destination'
    const { tls } = facts
    const isMutual = tls?.isPeerVerified === true
    const principals = isInbound
      ? { source: isMutual ? (tls.peer?.uri ?? '') : '', destination: isMutual ? (tls.localUris[0] ?? '') : '' }
      : { source: host?.tls === undefined ? '' : ownPrincipal(host.tls), destination: host?.peerUri ?? '' }
    const proven = isInbound ? principals.source : principals.destination
    const peer =
      (isInbound ? undefined : host?.plan.workload) ?? (proven === '' ? UNKNOWN_WORKLOAD : peerOfPrincipal(proven))
    const [source, destination] = isInbound ? [peer, this.#own] : [this.#own, peer]
    const subject: SeriesSubject = {
      reporter: this.#stats.reporter,
      source,
      sourcePrincipal: principals.source,
      destination,
      destinationPrincipal: principals.destination,
      service: serviceOf(cluster?.plan, '', '', destination.namespace),
      protocol: 'tcp',
      flags: flag,
      security: !isInbound ? 'unknown' : isMutual ? 'mutual_tls' : 'none',
      answer: undefined,
    }
    return this.#table.find(subject, this.#stats, tagValues(this.#stats.expressions, record, this.#node))
  }
}
