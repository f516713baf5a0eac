import type { ResponseFlag } from '../../../api/response-flags.ts'
import { connectionFacts } from '../../decide/connection-facts.ts'
import { newDecision } from '../../decide/decision.ts'
import { parseRequestHead } from '../../http1/request-parser.ts'
import { HeaderBlock } from '../../stream/header-block.ts'
import { RequestHead } from '../../stream/message.ts'
import { CallRecord } from '../call-record.ts'
import { CallObservers } from '../observers.ts'

export interface RecordedTestCall {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  /** As they came. */
  readonly received?: Readonly<Record<string, string>>
  /** Added here. */
  readonly fields?: Readonly<Record<string, string>>
  readonly answer?: Readonly<Record<string, string>>
  readonly status?: number
  readonly flag?: ResponseFlag
  readonly trailers?: string
  /** Fields of answers that are kept. */
  readonly responseFields?: readonly string[]
}

/** envoy.config.core.v3.Address of a socket. */
export const socketAddress = (ip: string, portValue: number) => ({
  address: {
    case: 'socketAddress' as const,
    value: { address: ip, portSpecifier: { case: 'portValue' as const, value: portValue } },
  },
})

/** What an entry by gRPC tells of the connection of recordedCall(). */
export const RECORDED_CONNECTION = {
  sampleRate: 1,
  downstreamRemoteAddress: socketAddress('10.0.0.7', 4000),
  downstreamLocalAddress: socketAddress('10.0.0.9', 80),
  downstreamDirectRemoteAddress: socketAddress('10.0.0.7', 4000),
  accessLogType: 6,
}

/** The record of a call that began at 2026-01-02T03:04:05.678Z and took 25 ms, for tests. */
export function recordedCall(call: RecordedTestCall = {}): CallRecord {
  const head = receivedHead(call.received ?? {})
  head.method = call.method ?? 'GET'
  head.path = call.path ?? '/'
  head.authority = call.authority ?? 'shop.example'
  for (const [name, value] of Object.entries(call.fields ?? {})) head.append(name, value)
  const decision = newDecision()
  decision.flag = call.flag ?? ''
  const facts = connectionFacts({
    sourceAddress: '10.0.0.7',
    directSourceAddress: '10.0.0.7',
    sourcePort: 4000,
    destinationAddress: '10.0.0.9',
    destinationPort: 80,
  })
  const record = new CallRecord({ head, facts, decision })
  const { responseFields = [] } = call
  record.begin(new CallObservers([{ responseFields }], () => {}), {} as never, 1000, Date.UTC(2026, 0, 2, 3, 4, 5, 678))
  record.requestEndMs = 1002
  record.upstreamStartMs = 1005
  record.responseMs = 1020
  record.endMs = 1025.9
  record.receivedBytes = 7
  record.sentBytes = 11
  record.trailers = call.trailers ?? ''
  const answer = new HeaderBlock()
  for (const [name, value] of Object.entries(call.answer ?? {})) answer.append(name, value)
  if (call.status !== 0) record.keepResponse(call.status ?? 200, answer)
  return record
}

function receivedHead(fields: Readonly<Record<string, string>>): RequestHead {
  const head = new RequestHead()
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  // The host is only needed for the text to be a request.
  if (fields.host === undefined) lines.unshift('host: shop.example\r\n')
  const bytes = Buffer.from(`GET / HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
  const refused = parseRequestHead(bytes, 0, bytes.length - 4, head)
  if (refused !== undefined) throw new Error(`no request: ${JSON.stringify(refused)}`)
  if (fields.host === undefined) head.removeAt(head.hostIndex)
  return head
}
