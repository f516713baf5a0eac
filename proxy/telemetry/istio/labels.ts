import type { MetricLabels } from '../../../lib/metrics/store.ts'
import type { NodeFacts } from '../../node-facts.ts'
import { type ServiceFacts, UNKNOWN_WORKLOAD, type WorkloadFacts } from '../../plan/workload.ts'
import type { Subject } from '../cel/attributes.ts'
import type { CelExpression } from '../cel/compile.ts'

/** What Istio's metrics say of a call or a connection (istio.io/latest/docs/reference/config/metrics), beside its outcome. */
export interface SeriesSubject {
  readonly reporter: 'source' | 'destination'
  readonly source: WorkloadFacts
  readonly sourcePrincipal: string
  readonly destination: WorkloadFacts
  readonly destinationPrincipal: string
  readonly service: ServiceFacts
  readonly protocol: 'http' | 'grpc' | 'tcp'
  readonly flags: string
  readonly security: 'mutual_tls' | 'none' | 'unknown'
  /** Of HTTP; undefined for TCP. */
  readonly answer: { readonly status: number; readonly grpcStatus: number } | undefined
}

/** Istio's word for what is not known. */
const UNKNOWN = 'unknown'
/** What stands in the place of labels when there is no room for more series. */
export const OVERFLOW = 'overflow'
/** No name of the mesh is longer; what strangers write is cut. */
export const MAX_LENGTH = 256

export function labelsOf(subject: SeriesSubject): MetricLabels {
  const { reporter, source, destination, service, protocol, flags, security, answer } = subject
  return {
    reporter,
    ...party('source', source, subject.sourcePrincipal),
    ...party('destination', destination, subject.destinationPrincipal),
    destination_service: text(service.host),
    destination_service_name: text(service.name),
    destination_service_namespace: text(service.namespace),
    request_protocol: protocol,
    ...(answer !== undefined && {
      response_code: String(answer.status),
      grpc_response_status: answer.grpcStatus < 0 ? '' : String(answer.grpcStatus),
    }),
    response_flags: flags === '' ? '-' : flags,
    connection_security_policy: security,
  }
}

function party(side: 'source' | 'destination', workload: WorkloadFacts, principal: string): MetricLabels {
  return {
    [`${side}_workload`]: text(workload.name),
    [`${side}_canonical_service`]: text(workload.canonicalService),
    [`${side}_canonical_revision`]:
      workload === UNKNOWN_WORKLOAD ? UNKNOWN : text(workload.canonicalRevision, 'latest'),
    [`${side}_workload_namespace`]: text(workload.namespace),
    [`${side}_principal`]: text(principal),
    [`${side}_app`]: text(workload.app),
    [`${side}_version`]: text(workload.version),
    [`${side}_cluster`]: text(workload.clusterId),
  }
}

function text(value: string, absent = UNKNOWN): string {
  return value === '' ? absent : value.length > MAX_LENGTH ? value.slice(0, MAX_LENGTH) : value
}

/** The values of labels that are expressions. */
export function tagValues(expressions: readonly CelExpression[], subject: Subject, node: NodeFacts): string[] {
  return expressions.map((expression) => {
    const value = expression.evaluate(subject, node)
    return text(value === undefined || value === null ? '' : String(value))
  })
}

/** The few series that all are counted in for which there is no room. */
export function overflowLabels(labels: MetricLabels): MetricLabels {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, KEPT.has(name) ? value : OVERFLOW]))
}

const KEPT: ReadonlySet<string> = new Set(['reporter', 'request_protocol', 'connection_security_policy'])
