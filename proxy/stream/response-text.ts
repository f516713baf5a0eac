import type { HttpManagerPlan } from '../plan/plan.ts'
import type { DateHeader } from './date.ts'
import { sharedField } from './field-batch.ts'
import type { HeaderBlock } from './header-block.ts'
import type { ResponseHead } from './message.ts'
import { NumberFields } from './number-fields.ts'

/** Adds to an upstream's response what the connection manager adds to every response. */
export function completeResponseHead(
  head: ResponseHead,
  manager: HttpManagerPlan,
  date: DateHeader,
  upstreamServiceTimeMs: number,
): void {
  head.remove(SERVICE_TIME)
  serviceTimes.appendTo(head, upstreamServiceTimeMs)
  if (head.dateIndex < 0) head.appendOf(date.field)
  if (manager.serverHeader !== 'pass_through' && (head.serverIndex < 0 || manager.serverHeader === 'overwrite')) {
    setServer(head, manager.serverName)
  }
  addVia(head, manager)
}

const SERVICE_TIME = 'x-envoy-upstream-service-time'
const serviceTimes = new NumberFields(SERVICE_TIME)

let lastName = ''
let lastServer = sharedField('server', lastName)

/** Most managers have one name. */
function setServer(fields: HeaderBlock, name: string): void {
  if (name !== lastName) {
    lastName = name
    lastServer = sharedField('server', name)
  }
  fields.remove('server')
  fields.appendOf(lastServer)
}

/** Adds to an answer of our own what every response carries. */
export function completeLocalFields(fields: HeaderBlock, manager: HttpManagerPlan, date: DateHeader): void {
  if (manager.serverHeader !== 'pass_through') setServer(fields, manager.serverName)
  if (!fields.has('date')) fields.appendOf(date.field)
  addVia(fields, manager)
}

function addVia(fields: HeaderBlock, manager: HttpManagerPlan): void {
  if (manager.via === '') return
  const before = fields.get('via')
  fields.set('via', before === undefined ? manager.via : `${before}, ${manager.via}`)
}
