import { StatGroup } from '../../lib/metrics/stat-group.ts'

/** Envoy's counters of the HTTP/2 codec that Lateen keeps; `flood` stands for its kinds of floods together. */
export class Http2Stats extends StatGroup {
  readonly rx_reset = this.counter('rx_reset')
  readonly tx_reset = this.counter('tx_reset')
  readonly rx_messaging_error = this.counter('rx_messaging_error')
  readonly header_overflow = this.counter('header_overflow')
  readonly goaway_sent = this.counter('goaway_sent')
  readonly protocol_error = this.counter('protocol_error')
  readonly flood = this.counter('flood')
}
