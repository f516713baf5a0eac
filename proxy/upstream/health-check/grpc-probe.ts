import type { GrpcProbePlan } from '../../plan/health-check-plan.ts'
import { Http2Connection } from './http2-connection.ts'
import { type Probe, type ProbeOwner, type ProbeTarget, USER_AGENT } from './probe.ts'

const METHOD = '/grpc.health.v1.Health/Check'
const PREFIX_BYTES = 5
/** grpc.health.v1.HealthCheckRequest: `service` is its field 1, a string. */
const SERVICE_TAG = 0x0a
/** grpc.health.v1.HealthCheckResponse: `status` is its field 1, a number. */
const STATUS_TAG = 0x08
const SERVING = 1
/** The longest answer is a few bytes. */
const MAX_ANSWER_BYTES = 1024

/** Asks by grpc.health.v1.Health. */
export class GrpcProbe implements Probe {
  readonly #plan: GrpcProbePlan
  readonly #target: ProbeTarget
  readonly #owner: ProbeOwner
  readonly #connection: Http2Connection
  readonly #question: Buffer

  constructor(plan: GrpcProbePlan, target: ProbeTarget, owner: ProbeOwner) {
    this.#plan = plan
    this.#target = target
    this.#owner = owner
    this.#connection = new Http2Connection(target)
    this.#question = framed(requestOf(plan.serviceName))
  }

  ask(): void {
    let received = Buffer.alloc(0)
    const head = {
      ':method': 'POST',
      ':path': METHOD,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': USER_AGENT,
      'grpc-timeout': `${this.#target.timeoutMs}m`,
      ...Object.fromEntries(this.#plan.headers.map(([name, value]) => [name.toLowerCase(), value])),
    }
    this.#connection.ask(
      head,
      this.#question,
      (chunk) => {
        if (received.length < MAX_ANSWER_BYTES) received = Buffer.concat([received, chunk])
      },
      (answer) => {
        if (answer === undefined) return this.#owner.onResult('network')
        const status = answer.trailers['grpc-status'] ?? answer.fields['grpc-status']
        const isServing = answer.fields[':status'] === undefined || Number(answer.fields[':status']) === 200
        const isGood = isServing && String(status) === '0' && statusOf(received) === SERVING
        this.#owner.onResult(isGood ? 'healthy' : 'unhealthy')
      },
    )
  }

  giveUp(): void {
    this.#connection.giveUp()
  }

  close(): void {
    this.#connection.giveUp()
  }
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

export function requestOf(service: string): Buffer {
  if (service === '') return Buffer.alloc(0)
  const name = Buffer.from(service, 'utf8')
  const length: number[] = []
  for (let rest = name.length; ; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest)
      break
    }
    length.push((rest & 127) | 128)
  }
  return Buffer.concat([Buffer.from([SERVICE_TAG, ...length]), name])
}

/** The status of a framed answer; undefined for what is none. */
export function statusOf(received: Buffer): number | undefined {
  if (received.length < PREFIX_BYTES || received[0] !== 0) return undefined
  const length = received.readUInt32BE(1)
  if (received.length !== PREFIX_BYTES + length) return undefined
  // 0 (UNKNOWN) is not written.
  if (length === 0) return 0
  return received[PREFIX_BYTES] === STATUS_TAG ? received[PREFIX_BYTES + 1] : undefined
}
