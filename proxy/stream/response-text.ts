import type { HttpManagerPlan } from '../plan/plan.ts'
import type { DateHeader } from './date.ts'
import type { ResponseHead } from './message.ts'

/** Adds to an upstream's response what the connection manager adds to every response. */
export function completeResponseHead(
  head: ResponseHead,
  manager: HttpManagerPlan,
  date: DateHeader,
  upstreamServiceTimeMs: number,
): void {
  head.set('x-envoy-upstream-service-time', String(upstreamServiceTimeMs))
  if (!head.has('date')) head.append('date', date.value)
  if (manager.serverHeader === 'overwrite') head.set('server', manager.serverName)
  else if (manager.serverHeader === 'append_if_absent' && !head.has('server')) head.append('server', manager.serverName)
  if (manager.via !== '') {
    const before = head.get('via')
    head.set('via', before === undefined ? manager.via : `${before}, ${manager.via}`)
  }
}
