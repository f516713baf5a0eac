import type { StreamAccessLogsMessage } from '../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import { httpEntryBag, type Totals, tcpEntryBag } from '../attributes/from-access-log.ts'
import { type Reporter, reporterOf, UNKNOWN_REPORTER } from '../attributes/reporter.ts'
import type { Mixer } from '../mixer.ts'
import type { Reports } from '../rules/dispatcher.ts'

/** Open connections of which one stream remembers what was told; of more, each entry counts whole. */
const MAX_CONNECTIONS = 10_000

/** What one proxy tells, over one stream. Its first message says who it is. */
export class AccessLogStream {
  readonly #mixer: Mixer
  readonly #totals = new Map<string, Totals>()
  #reporter: Reporter = UNKNOWN_REPORTER

  constructor(mixer: Mixer) {
    this.#mixer = mixer
  }

  take({ identifier, logEntries }: StreamAccessLogsMessage): void {
    const { dispatcher, stats } = this.#mixer
    if (identifier?.node !== undefined) this.#reporter = reporterOf(identifier.node)
    const reports: Reports = new Map()
    stats.reportMessages.inc()
    if (logEntries.case === 'httpLogs') {
      const { logEntry } = logEntries.value
      stats.reportEntries.add(logEntry.length)
      for (const entry of logEntry) {
        dispatcher.report(httpEntryBag(entry, this.#reporter, dispatcher.types), reports)
      }
    } else if (logEntries.case === 'tcpLogs') {
      const { logEntry } = logEntries.value
      stats.reportEntries.add(logEntry.length)
      for (const entry of logEntry) {
        const id = entry.commonProperties?.streamId ?? ''
        const bag = tcpEntryBag(entry, this.#reporter, dispatcher.types, this.#totals.get(id))
        dispatcher.report(bag, reports)
        this.#remember(id, bag.get('connection.event') === 'close', entry.connectionProperties)
      }
    }
    dispatcher.hand(reports)
  }

  #remember(id: string, isOver: boolean, bytes: { receivedBytes: bigint; sentBytes: bigint } | undefined): void {
    if (id === '') return
    if (isOver) this.#totals.delete(id)
    else if (bytes !== undefined && (this.#totals.has(id) || this.#totals.size < MAX_CONNECTIONS)) {
      this.#totals.set(id, { received: Number(bytes.receivedBytes), sent: Number(bytes.sentBytes) })
    }
  }
}
