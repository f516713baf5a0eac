import { type CallContext, currentContext } from './context.ts'
import { formatGrpcTimeout, parseGrpcTimeout } from './deadline.ts'
import { EXPECTED_TIMEOUT, GRPC_TIMEOUT } from './names.ts'

/** The headers of a call that is about to be made. Names are in lower case. */
export interface Outgoing {
  has(name: string): boolean
  set(name: string, value: string): void
}

/** Adds what the current call hands on and the application did not set itself. Throws nothing. */
export function carry(outgoing: Outgoing): void {
  const context = currentContext()
  if (context === undefined) return
  try {
    carryFrom(context, outgoing)
  } catch {
    // A call without a trace is better than none.
  }
}

export function carryFrom(context: CallContext, outgoing: Outgoing): void {
  for (const [name, value] of context.headers) if (!outgoing.has(name)) outgoing.set(name, value)
  const leftMs = context.leftMs()
  if (leftMs !== undefined && !outgoing.has(EXPECTED_TIMEOUT)) outgoing.set(EXPECTED_TIMEOUT, String(leftMs))
}

/** The grpc-timeout of a call of gRPC; undefined when the one it has, which may be none, is to stay. */
export function shorterGrpcTimeout(own: string | undefined): [name: string, value: string] | undefined {
  const leftMs = currentContext()?.leftMs()
  if (leftMs === undefined) return undefined
  const ownMs = own === undefined ? undefined : parseGrpcTimeout(own)
  return ownMs !== undefined && ownMs <= leftMs ? undefined : [GRPC_TIMEOUT, formatGrpcTimeout(leftMs)]
}
