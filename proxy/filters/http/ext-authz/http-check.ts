import type { FieldAction, FieldChange } from '../../../decide/field-change.ts'
import type { Asker } from '../../../decide/question.ts'
import type { HeaderBlock } from '../../../stream/header-block.ts'
import type { SideRequest, SideResult } from '../../../stream/side-call.ts'
import { MAX_ANSWER_BYTES } from '../../grpc-call.ts'
import { type ExtAuthzConfig, type HttpServicePlan, isNamed } from './config.ts'
import { type CheckResult, fieldChange, mayRemove } from './result.ts'

/** Of a connection, or of the body that is not sent. */
const OF_THE_CONNECTION = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'expect',
  'upgrade',
  'te',
])
/** What a client is always told by a server that refuses. */
const ALWAYS_TOLD = new Set(['www-authenticate', 'location', 'content-type'])

/** The request as the server of verdicts gets it: the client's own, less its body unless that is asked for. */
export function httpRequest(
  service: HttpServicePlan,
  config: ExtAuthzConfig,
  { call: { head } }: Asker,
  body: Buffer | undefined,
  isPartial: boolean,
): SideRequest {
  const headers: [string, string][] = []
  for (const [written, value] of head.fields()) {
    const name = written.toLowerCase()
    if (OF_THE_CONNECTION.has(name) || service.headersToAdd.some(([added]) => added === name)) continue
    if (name !== 'authorization' && !isNamed(name, config.allowedHeaders ?? [])) continue
    if (config.disallowedHeaders === undefined || !isNamed(name, config.disallowedHeaders)) headers.push([name, value])
  }
  return {
    cluster: service.cluster,
    method: head.method,
    authority: head.authority,
    path: `${service.pathPrefix}${head.path}`,
    headers: [
      ...headers,
      ...service.headersToAdd,
      ...(body === undefined ? [['content-length', '0'] as const] : []),
      ...(body === undefined ? [] : [['x-envoy-auth-partial-body', String(isPartial)] as const]),
    ],
    body,
    timeoutMs: service.timeoutMs,
    maxResponseBytes: MAX_ANSWER_BYTES,
  }
}

/** 200 lets pass, what a server cannot do is an error, and all else refuses. */
export function readHttpAnswer(result: SideResult, service: HttpServicePlan): CheckResult {
  if (result.kind === 'failed' || result.status >= 500) return { kind: 'error' }
  const { fields, status, body } = result
  if (status !== 200) {
    const isTold = (name: string) =>
      service.clientHeaders === undefined || ALWAYS_TOLD.has(name) || isNamed(name, service.clientHeaders)
    return { kind: 'denied', status, fields: take(fields, isTold, 'set'), body, metadata: undefined }
  }
  const isOf = (matchers: HttpServicePlan['upstreamHeaders']) => (name: string) =>
    matchers !== undefined && isNamed(name, matchers)
  return {
    kind: 'ok',
    requestFields: [
      ...take(fields, isOf(service.upstreamHeaders), 'set'),
      ...take(fields, isOf(service.upstreamHeadersToAppend), 'append'),
    ],
    fieldsToRemove: (fields.get('x-envoy-auth-headers-to-remove') ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter(mayRemove),
    responseFields: take(fields, isOf(service.clientHeadersOnSuccess), 'append'),
    queryToSet: [],
    queryToRemove: [],
    metadata: undefined,
  }
}

function take(fields: HeaderBlock, isWanted: (name: string) => boolean, action: FieldAction): FieldChange[] {
  const taken: FieldChange[] = []
  for (const [written, value] of fields.fields()) {
    const name = written.toLowerCase()
    if (!isWanted(name)) continue
    // It came as bytes, and fieldChange() takes text.
    const change = fieldChange(name, Buffer.from(value, 'latin1').toString('utf8'), action)
    // What the server says twice is said twice.
    if (change !== undefined)
      taken.push(taken.some((one) => one.name === name) ? { ...change, action: 'append' } : change)
  }
  return taken
}
