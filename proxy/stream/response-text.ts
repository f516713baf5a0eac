import type { HttpManagerPlan } from '../plan/plan.ts'
import type { DateHeader } from './date.ts'
import type { HeaderBlock } from './header-block.ts'
import type { ResponseHead } from './message.ts'

/** Adds to an upstream's response what the connection manager adds to every response. */
export function completeResponseHead(
  head: ResponseHead,
  manager: HttpManagerPlan,
  date: DateHeader,
  upstreamServiceTimeMs: number,
): void {
  head.remove('x-envoy-upstream-service-time')
  head.append('x-envoy-upstream-service-time', String(upstreamServiceTimeMs))
  if (head.dateIndex < 0) head.append('date', date.value)
  if (manager.serverHeader !== 'pass_through' && (head.serverIndex < 0 || manager.serverHeader === 'overwrite')) {
    head.remove('server')
    head.append('server', manager.serverName)
  }
  addVia(head, manager)
}

/** Adds to an answer of our own what every response carries. */
export function completeLocalFields(fields: HeaderBlock, manager: HttpManagerPlan, date: DateHeader): void {
  if (manager.serverHeader !== 'pass_through') fields.set('server', manager.serverName)
  if (!fields.has('date')) fields.append('date', date.value)
  addVia(fields, manager)
}

function addVia(fields: HeaderBlock, manager: HttpManagerPlan): void {
  if (manager.via === '') return
  const before = fields.get('via')
  fields.set('via', before === undefined ? manager.via : `${before}, ${manager.via}`)
}
