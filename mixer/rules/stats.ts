import type { Metric, MetricStore } from '../../lib/metrics/store.ts'

/** What the mixer counts about its own work. */
export class MixerStats {
  readonly checks: Metric
  readonly checksDenied: Metric
  readonly checksFailed: Metric
  readonly quotas: Metric
  readonly quotasOverLimit: Metric
  readonly quotasFailed: Metric
  readonly reportEntries: Metric
  readonly reportMessages: Metric
  readonly spans: Metric
  readonly spanMessages: Metric
  readonly spansRejected: Metric
  readonly shed: Metric
  readonly underWay: Metric
  readonly matchErrors: Metric
  readonly instanceErrors: Metric
  readonly handlerErrors: Metric
  readonly generation: Metric
  readonly findings: Metric

  constructor(metrics: MetricStore) {
    this.checks = metrics.counter('checks_total')
    this.checksDenied = metrics.counter('checks_denied_total')
    this.checksFailed = metrics.counter('checks_failed_total')
    this.quotas = metrics.counter('quotas_total')
    this.quotasOverLimit = metrics.counter('quotas_over_limit_total')
    this.quotasFailed = metrics.counter('quotas_failed_total')
    this.reportEntries = metrics.counter('report_entries_total')
    this.reportMessages = metrics.counter('report_messages_total')
    this.spans = metrics.counter('spans_total')
    this.spanMessages = metrics.counter('span_messages_total')
    this.spansRejected = metrics.counter('spans_rejected_total')
    this.shed = metrics.counter('requests_shed_total')
    this.underWay = metrics.gauge('requests_under_way')
    this.matchErrors = metrics.counter('rule_match_errors_total')
    this.instanceErrors = metrics.counter('instance_errors_total')
    this.handlerErrors = metrics.counter('handler_errors_total')
    this.generation = metrics.gauge('config_generation')
    this.findings = metrics.gauge('config_errors')
  }
}
