import type { HttpProbePlan, StatusRange } from '../../plan/health-check-plan.ts'
import { containsInOrder } from './payload.ts'
import { CHECKED_CLUSTER, DEGRADED, IMMEDIATE_FAILURE, type ProbeOwner, type ProbeResult } from './probe.ts'

type Fields = Readonly<Record<string, string | string[] | undefined>>

/** What an answer says of its host (envoy: HttpActiveHealthCheckSession::healthCheckResult). */
export function judgeAnswer(
  plan: HttpProbePlan,
  status: number,
  fields: Fields,
  body: Buffer,
  owner: ProbeOwner,
): ProbeResult {
  const result = resultOf(plan, status, fields, body, owner)
  const isWell = result === 'healthy' || result === 'degraded'
  // Of an answer that is good it is not believed, as in Envoy.
  if (!isWell && fields[IMMEDIATE_FAILURE] !== undefined) owner.onImmediateFailure()
  return result
}

function resultOf(plan: HttpProbePlan, status: number, fields: Fields, body: Buffer, owner: ProbeOwner): ProbeResult {
  if (!isAmong(plan.expected, status)) return isAmong(plan.retriable, status) ? 'retriable' : 'unhealthy'
  if (plan.receive.length > 0 && !containsInOrder(plan.receive, body)) return 'unhealthy'
  if (plan.serviceName !== undefined) {
    owner.onNameCompared()
    if (!plan.serviceName.test(String(fields[CHECKED_CLUSTER] ?? ''))) return 'unhealthy'
  }
  return fields[DEGRADED] === undefined ? 'healthy' : 'degraded'
}

function isAmong(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(([from, to]) => status >= from && status < to)
}

/** As much of a body as is looked at. */
export class AnswerBody {
  readonly #maxBytes: number
  readonly #chunks: Buffer[] = []
  #size = 0

  /** Nothing is kept where nothing is looked for. */
  constructor(plan: HttpProbePlan) {
    const isRead = plan.receive.length > 0
    this.#maxBytes = !isRead ? 0 : plan.maxReceivedBytes === 0 ? MAX_WHOLE_BYTES : plan.maxReceivedBytes
  }

  add(chunk: Buffer): void {
    const room = this.#maxBytes - this.#size
    if (room <= 0) return
    const part = chunk.subarray(0, room)
    this.#chunks.push(part)
    this.#size += part.length
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

/** Of a body that is to be looked at as a whole. */
const MAX_WHOLE_BYTES = 1024 * 1024

/** Name and value of what a check says of itself. */
export function requestFields(plan: HttpProbePlan, userAgent: string): [name: string, value: string][] {
  const fields: [string, string][] = [
    ['user-agent', userAgent],
    ...plan.headers.map(([n, v]): [string, string] => [n, v]),
  ]
  return fields.filter(([name]) => !plan.removedHeaders.includes(name.toLowerCase()))
}
