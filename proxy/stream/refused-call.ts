import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { newDecision } from '../decide/decision.ts'
import type { HttpManagerPlan } from '../plan/plan.ts'
import { CallRecord, type Refusal } from '../telemetry/call-record.ts'
import type { StreamContext } from './context.ts'
import { RequestHead } from './message.ts'

/**
 * Tells observers of a request whose head was refused, `elapsedMs` after its first byte. As in Envoy nothing is said of the head,
 * of which nothing can be believed.
 */
export function tellRefused(
  context: StreamContext,
  manager: HttpManagerPlan,
  facts: ConnectionFacts,
  refusal: Refusal,
  elapsedMs: number,
): void {
  const { telemetry, clock } = context
  const observers = telemetry.observersOf(manager)
  if (observers === undefined) return
  const nowMs = clock.nowMs()
  const startMs = nowMs - elapsedMs
  const record = new CallRecord({ head: new RequestHead(), facts, decision: newDecision() })
  record.begin(observers, manager, startMs, telemetry.wallMsAt(startMs))
  record.refuse(refusal, nowMs)
  record.endMs = nowMs
  telemetry.ended(record)
}
