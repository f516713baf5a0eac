import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { HttpProbePlan } from '../../plan/health-check-plan.ts'
import { AnswerBody, judgeAnswer, requestFields } from './http-answer.ts'
import { type Probe, type ProbeOwner, type ProbeTarget, USER_AGENT } from './probe.ts'

/** Asks by HTTP/1.1, over a connection that is kept for the next time. */
export class Http1Probe implements Probe {
  readonly #plan: HttpProbePlan
  readonly #target: ProbeTarget
  readonly #owner: ProbeOwner
  readonly #agent: Agent
  #request: ClientRequest | undefined

  constructor(plan: HttpProbePlan, target: ProbeTarget, owner: ProbeOwner) {
    this.#plan = plan
    this.#target = target
    this.#owner = owner
    this.#agent = new Agent({ keepAlive: target.reusesConnection, maxSockets: 1 })
    const connect = () => target.connect()
    Object.assign(this.#agent, { createConnection: connect })
  }

  ask(): void {
    const { method, path } = this.#plan
    const asked = request({
      agent: this.#agent,
      method,
      path,
      setHost: false,
      headers: { host: this.#target.authority, ...joined(requestFields(this.#plan, USER_AGENT)) },
    })
    this.#request = asked
    asked.on('response', (response) => this.#read(asked, response))
    asked.on('error', () => this.#end(asked, () => this.#owner.onResult('network')))
    asked.end()
  }

  #read(asked: ClientRequest, response: IncomingMessage): void {
    const body = new AnswerBody(this.#plan)
    response.on('data', (chunk: Buffer) => body.add(chunk))
    response.on('error', () => {})
    response.on('close', () => {
      this.#end(asked, () => {
        const { statusCode = 0, headers, complete } = response
        const judge = () => judgeAnswer(this.#plan, statusCode, headers, body.bytes, this.#owner)
        this.#owner.onResult(complete ? judge() : 'network')
      })
    })
  }

  /** Only the question that is waited for has an answer. */
  #end(asked: ClientRequest, answer: () => void): void {
    if (this.#request !== asked) return
    this.#request = undefined
    answer()
  }

  giveUp(): void {
    const asked = this.#request
    this.#request = undefined
    asked?.destroy()
  }

  close(): void {
    this.giveUp()
    this.#agent.destroy()
  }
}

function joined(fields: readonly (readonly [string, string])[]): Record<string, string[]> {
  const byName: Record<string, string[]> = {}
  for (const [name, value] of fields) {
    byName[name] ??= []
    byName[name].push(value)
  }
  return byName
}
