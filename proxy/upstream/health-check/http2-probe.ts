import type { HttpProbePlan } from '../../plan/health-check-plan.ts'
import { AnswerBody, judgeAnswer, requestFields } from './http-answer.ts'
import { Http2Connection } from './http2-connection.ts'
import { type Probe, type ProbeOwner, type ProbeTarget, USER_AGENT } from './probe.ts'

/** Asks by HTTP/2. */
export class Http2Probe implements Probe {
  readonly #plan: HttpProbePlan
  readonly #owner: ProbeOwner
  readonly #connection: Http2Connection

  constructor(plan: HttpProbePlan, target: ProbeTarget, owner: ProbeOwner) {
    this.#plan = plan
    this.#owner = owner
    this.#connection = new Http2Connection(target)
  }

  ask(): void {
    const plan = this.#plan
    const body = new AnswerBody(plan)
    const fields = Object.fromEntries(
      requestFields(plan, USER_AGENT).map(([name, value]) => [name.toLowerCase(), value]),
    )
    const head = { ':method': plan.method, ':path': plan.path, ...fields }
    this.#connection.ask(
      head,
      undefined,
      (chunk) => body.add(chunk),
      (answer) => {
        if (answer === undefined) return this.#owner.onResult('network')
        const status = Number(answer.fields[':status'])
        this.#owner.onResult(judgeAnswer(plan, status, answer.fields, body.bytes, this.#owner))
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
