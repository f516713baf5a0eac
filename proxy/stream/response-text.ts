import type { HttpManagerPlan } from '../plan/plan.ts'
import type { DateHeader } from './date.ts'
import { type FieldBatch, sharedField } from './field-batch.ts'
import type { HeaderBlock } from './header-block.ts'
import type { ResponseHead } from './message.ts'

/** Adds to an upstream's response what the connection manager adds to every response. */
export function completeResponseHead(
  head: ResponseHead,
  manager: HttpManagerPlan,
  date: DateHeader,
  upstreamServiceTimeMs: number,
): void {
  head.remove(SERVICE_TIME)
  appendServiceTime(head, upstreamServiceTimeMs)
  if (head.dateIndex < 0) head.appendOf(date.field)
  if (manager.serverHeader !== 'pass_through' && (head.serverIndex < 0 || manager.serverHeader === 'overwrite')) {
    head.remove('server')
    head.appendOf(serverField(manager.serverName))
  }
  addVia(head, manager)
}

const SERVICE_TIME = 'x-envoy-upstream-service-time'
/** By milliseconds, made when they are first told of: most answers take few. */
const serviceTimes: (FieldBatch | undefined)[] = new Array(256).fill(undefined)

function appendServiceTime(head: HeaderBlock, ms: number): void {
  if (ms >= serviceTimes.length) {
    head.append(SERVICE_TIME, String(ms))
    return
  }
  const field = serviceTimes[ms] ?? sharedField(SERVICE_TIME, String(ms))
  serviceTimes[ms] = field
  head.appendOf(field)
}

let lastName = ''
let lastServer = sharedField('server', lastName)

/** Most managers have one name. */
function serverField(name: string): FieldBatch {
  if (name !== lastName) {
    lastName = name
    lastServer = sharedField('server', name)
  }
  return lastServer
}

/** Adds to an answer of our own what every response carries. */
export function completeLocalFields(fields: HeaderBlock, manager: HttpManagerPlan, date: DateHeader): void {
  if (manager.serverHeader !== 'pass_through') {
    fields.remove('server')
    fields.appendOf(serverField(manager.serverName))
  }
  if (!fields.has('date')) fields.appendOf(date.field)
  addVia(fields, manager)
}

function addVia(fields: HeaderBlock, manager: HttpManagerPlan): void {
  if (manager.via === '') return
  const before = fields.get('via')
  fields.set('via', before === undefined ? manager.via : `${before}, ${manager.via}`)
}
