import type { ListenerPlan, Plan } from '../plan/plan.ts'
import { portOfUrl, type SymbolicCall } from './explain.ts'
import type { Trace } from './trace.ts'

/**
 * The listener that a symbolic call would meet. With a destination: the one bound to it, else, where a listener hands
 * connections on by their original destination, the one that stands for it, else that capturing listener itself.
 * Without: the one that takes the URL's port.
 */
export function findListener(plan: Plan, call: SymbolicCall, trace: Trace): ListenerPlan | undefined {
  const candidates = [...plan.listeners.values()].filter((listener) => listensFor(listener, call))
  const [address, port] = wantedAddress(call)
  const found = chooseListener(candidates, address, port, call)
  for (const listener of candidates) {
    const matched = listener === found
    trace.push({
      candidate: `listener ${listener.name}`,
      matched,
      reason: matched ? 'takes the connection' : `listens on ${listener.address}:${listener.port}`,
      origin: listener.origin,
    })
  }
  return found
}

function wantedAddress(call: SymbolicCall): [address: string, port: number] {
  const colon = call.destination.lastIndexOf(':')
  if (colon < 0) return [call.resolvedAddress, portOfUrl(call.url)]
  return [call.destination.slice(0, colon), Number(call.destination.slice(colon + 1))]
}

function listensFor(listener: ListenerPlan, call: SymbolicCall): boolean {
  if (listener.trafficDirection === 'unspecified') return true
  return listener.trafficDirection === (call.direction === 'inbound' ? 'inbound' : 'outbound')
}

const WILDCARDS = new Set(['0.0.0.0', '::', ''])

function chooseListener(
  candidates: readonly ListenerPlan[],
  address: string,
  port: number,
  call: SymbolicCall,
): ListenerPlan | undefined {
  const onPort = candidates.filter((listener) => listener.port === port)
  const exact = onPort.find((listener) => listener.address === address)
  const wildcard = onPort.find((listener) => WILDCARDS.has(listener.address))
  if (exact !== undefined) return exact
  if (wildcard !== undefined) return wildcard
  // Where no destination is given, any listener on the port that speaks the protocol is meant.
  if (call.destination === '') {
    const spoken = onPort.find((listener) => speaks(listener, call.protocol)) ?? onPort[0]
    if (spoken !== undefined) return spoken
  }
  const capturing = candidates.find(
    (listener) => listener.useOriginalDst || listener.port === CAPTURE_PORTS[call.direction],
  )
  if (capturing !== undefined) return capturing
  // A hand-written bootstrap has few listeners, and its URLs name hosts, not listeners.
  const speaking = candidates.filter((listener) => speaks(listener, call.protocol))
  return call.destination === '' && speaking.length === 1 ? speaking[0] : undefined
}

/** Istio's capture ports. */
const CAPTURE_PORTS = { outbound: 15001, inbound: 15006, gateway: -1 }

function speaks(listener: ListenerPlan, protocol: SymbolicCall['protocol']): boolean {
  return listener.filterChains.some((chain) => chain.filter.kind === protocol)
}
