import type { IncomingMessage } from 'node:http'
import { systemClock } from '../../lib/clock.ts'
import { type Random, randomUuid } from '../../lib/random.ts'
import { type Call, RANDOM_VALUE_BOUND } from '../decide/call.ts'
import { type ConnectionFacts, SocketFacts } from '../decide/connection-facts.ts'
import { decide, routesOf } from '../decide/decide.ts'
import { answer, type Decision, newDecision } from '../decide/decision.ts'
import { mutateHeaders } from '../decide/mutate.ts'
import { prepareRequest } from '../decide/prepare.ts'
import { SYMBOLIC_SURROUNDINGS } from '../decide/surroundings.ts'
import type { HttpManagerPlan, Plan, RouteConfigPlan } from '../plan/plan.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { RequestHead } from '../stream/message.ts'
import { finishRequestHead } from '../stream/request-text.ts'

/** One request as our decision function sees it, and what it has decided. */
export class ReferenceCall implements Call {
  readonly head: RequestHead
  readonly random: Random
  readonly randomValue: number
  /** This engine limits nobody. */
  readonly around = SYMBOLIC_SURROUNDINGS
  readonly facts: ConnectionFacts
  readonly decision: Decision = newDecision()
  readonly manager: HttpManagerPlan
  readonly #routes: RouteConfigPlan | undefined

  constructor(plan: Plan, manager: HttpManagerPlan, request: IncomingMessage, head: RequestHead, random: Random) {
    this.head = head
    this.random = random
    this.manager = manager
    this.randomValue = Math.floor(random.next() * RANDOM_VALUE_BOUND)
    this.facts = new SocketFacts(request.socket)
    this.#routes = routesOf(plan, manager)
    if (prepareRequest(manager, this, this.decision)) decide(plan, manager, this.#routes, this, this.decision)
    // This engine asks nobody.
    if (this.decision.outcome === 'ask') answer(this.decision, 501, 'asking_not_supported', '')
  }

  wallMs(): number {
    return systemClock.wallMs()
  }

  addRequestId(head: HeaderBlock): void {
    head.append('x-request-id', randomUuid())
  }

  /** Makes the head that of the request to the upstream. */
  finishRequest(): void {
    if (this.#routes !== undefined) mutateHeaders(this.#routes, this.decision, this, this.head, 'request')
    finishRequestHead(this.head, this.decision)
  }

  mutateResponse(fields: HeaderBlock): void {
    if (this.#routes !== undefined) mutateHeaders(this.#routes, this.decision, this, fields, 'response')
  }
}
