import { create, fromBinary, type JsonObject, toBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { AddressSchema, SocketAddressSchema } from '../../../../api/gen/envoy/config/core/v3/address_pb.js'
import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
  MetadataSchema,
} from '../../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  AttributeContext_HttpRequestSchema,
  type AttributeContext_Peer,
  AttributeContext_PeerSchema,
  AttributeContext_RequestSchema,
  AttributeContextSchema,
} from '../../../../api/gen/envoy/service/auth/v3/attribute_context_pb.js'
import {
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from '../../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import { toPem } from '../../../../lib/x509/pem.ts'
import type { FieldAction, FieldChange } from '../../../decide/field-change.ts'
import type { Asker } from '../../../decide/question.ts'
import type { SideRequest, SideResult } from '../../../stream/side-call.ts'
import type { PeerIdentity } from '../../../tls/peer.ts'
import { type ExtAuthzConfig, type GrpcServicePlan, isNamed } from './config.ts'
import { type CheckResult, fieldChange, mayRemove } from './result.ts'

/** An answer, its body included, is not read further. */
export const MAX_ANSWER_BYTES = 1024 * 1024
const FRAME_HEADER_BYTES = 5

/** envoy.service.auth.v3.Authorization/Check, as one call over HTTP/2. */
export function grpcRequest(
  service: GrpcServicePlan,
  config: ExtAuthzConfig,
  extensions: Readonly<Record<string, string>>,
  asker: Asker,
  body: Buffer | undefined,
  isPartial: boolean,
): SideRequest {
  const message = toBinary(CheckRequestSchema, checkRequest(config, extensions, asker, body, isPartial))
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, FRAME_HEADER_BYTES)
  return {
    cluster: service.cluster,
    method: 'POST',
    authority: service.authority,
    path: '/envoy.service.auth.v3.Authorization/Check',
    headers: [
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ...(service.timeoutMs > 0 ? [['grpc-timeout', `${Math.ceil(service.timeoutMs)}m`] as const] : []),
      ...service.metadata,
    ],
    body: frame,
    timeoutMs: service.timeoutMs,
    maxResponseBytes: MAX_ANSWER_BYTES,
  }
}

function checkRequest(
  config: ExtAuthzConfig,
  contextExtensions: Readonly<Record<string, string>>,
  { call, decision }: Asker,
  body: Buffer | undefined,
  isPartial: boolean,
) {
  const { head, facts } = call
  const headers = headersOf(config, head.fields(), [
    [':authority', head.authority],
    [':method', head.method],
    [':path', head.path],
    [':scheme', head.scheme],
  ])
  if (body !== undefined) headers['x-envoy-auth-partial-body'] = String(isPartial)
  const filterMetadata: Record<string, JsonObject> = {}
  for (const name of config.metadataNamespaces) {
    const found = decision.metadata?.get(name)
    if (found !== undefined) filterMetadata[name] = found
  }
  const http = create(AttributeContext_HttpRequestSchema, {
    id: head.get('x-request-id') ?? '',
    method: head.method,
    headers,
    path: head.path,
    host: head.authority,
    scheme: head.scheme,
    size: BigInt(body?.length ?? -1),
    protocol: head.isHttp2 ? 'HTTP/2' : `HTTP/1.${head.minorVersion}`,
    ...(body !== undefined && (config.body?.packAsBytes ? { rawBody: body } : { body: body.toString('utf8') })),
  })
  const tls = facts.tls
  return create(CheckRequestSchema, {
    attributes: create(AttributeContextSchema, {
      source: peer(facts.sourceAddress, facts.sourcePort, principalOf(tls?.peer), certificateOf(config, tls?.peer)),
      destination: peer(facts.destinationAddress, facts.destinationPort, tls?.localUris[0] ?? '', ''),
      request: create(AttributeContext_RequestSchema, { time: timestampFromMs(call.wallMs()), http }),
      contextExtensions: { ...contextExtensions },
      metadataContext: create(MetadataSchema, { filterMetadata }),
    }),
  })
}

function headersOf(
  { allowedHeaders, disallowedHeaders }: ExtAuthzConfig,
  fields: Iterable<readonly [string, string]>,
  pseudo: readonly (readonly [string, string])[],
): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [written, value] of [...pseudo, ...fields]) {
    const name = written.toLowerCase()
    if (name === 'host') continue
    if (allowedHeaders !== undefined && !isNamed(name, allowedHeaders)) continue
    if (disallowedHeaders !== undefined && isNamed(name, disallowedHeaders)) continue
    // Text of protobuf is UTF-8; what came as bytes is read as such.
    const text = Buffer.from(value, 'latin1').toString('utf8')
    headers[name] = headers[name] === undefined ? text : `${headers[name]},${text}`
  }
  return headers
}

function peer(address: string, port: number, principal: string, certificate: string): AttributeContext_Peer {
  const socketAddress = create(SocketAddressSchema, { address, portSpecifier: { case: 'portValue', value: port } })
  return create(AttributeContext_PeerSchema, {
    address: create(AddressSchema, { address: { case: 'socketAddress', value: socketAddress } }),
    principal,
    certificate,
  })
}

/** The first URI of the certificate, else its first DNS name, else its subject. */
function principalOf(identity: PeerIdentity | undefined): string {
  if (identity === undefined) return ''
  return identity.uri || (identity.altNames.find(({ type }) => type === 'dns')?.value ?? identity.subject)
}

function certificateOf({ includePeerCertificate }: ExtAuthzConfig, identity: PeerIdentity | undefined): string {
  return includePeerCertificate && identity !== undefined ? encodeURIComponent(toPem('CERTIFICATE', identity.raw)) : ''
}

/** What a server has answered; everything that is no answer is an error. */
export function readGrpcAnswer(result: SideResult): CheckResult {
  if (result.kind === 'failed' || result.status !== 200) return { kind: 'error' }
  const status = /(?:^|\n)grpc-status: *(\d+)/i.exec(result.trailers)?.[1] ?? result.fields.get('grpc-status')
  const { body } = result
  if (status !== '0' || body.length < FRAME_HEADER_BYTES || body[0] !== 0) return { kind: 'error' }
  const length = body.readUInt32BE(1)
  if (body.length !== FRAME_HEADER_BYTES + length) return { kind: 'error' }
  try {
    return readResponse(fromBinary(CheckResponseSchema, body.subarray(FRAME_HEADER_BYTES)))
  } catch {
    return { kind: 'error' }
  }
}

function readResponse({ status, httpResponse, dynamicMetadata: metadata }: CheckResponse): CheckResult {
  if ((status?.code ?? 0) === 0) {
    const ok = httpResponse.case === 'okResponse' ? httpResponse.value : undefined
    return {
      kind: 'ok',
      requestFields: changes(ok?.headers ?? [], requestAction),
      fieldsToRemove: (ok?.headersToRemove ?? []).map((name) => name.toLowerCase()).filter(mayRemove),
      responseFields: inEnvoysOrder(changes(ok?.responseHeadersToAdd ?? [], responseAction)),
      queryToSet: (ok?.queryParametersToSet ?? []).map(({ key, value }) => [key, value] as const),
      queryToRemove: ok?.queryParametersToRemove ?? [],
      metadata: metadata ?? ok?.dynamicMetadata,
    }
  }
  const denied = httpResponse.case === 'deniedResponse' ? httpResponse.value : undefined
  return {
    kind: 'denied',
    status: denied?.status?.code || 403,
    fields: ofDenial(denied?.headers ?? []),
    body: Buffer.from(denied?.body ?? ''),
    metadata,
  }
}

function changes(options: readonly HeaderValueOption[], actionOf: (option: HeaderValueOption) => FieldAction) {
  return options.flatMap((option): FieldChange[] => {
    const change = fieldChange(option.header?.key ?? '', option.header?.value ?? '', actionOf(option))
    return change === undefined ? [] : [change]
  })
}

/** A server that says nothing of it overwrites, and appends only to what is there (Envoy's ext_authz). */
function requestAction({ append }: HeaderValueOption): FieldAction {
  return append === true ? 'append_if_exists' : 'set'
}

function responseAction({ append, appendAction }: HeaderValueOption): FieldAction {
  if (append !== undefined) return append ? 'append' : 'set'
  if (appendAction === Action.ADD_IF_ABSENT) return 'add_if_absent'
  if (appendAction === Action.OVERWRITE_IF_EXISTS) return 'set_if_exists'
  return appendAction === Action.APPEND_IF_EXISTS_OR_ADD ? 'append' : 'set'
}

/** Envoy keeps a list for each action, and goes through one after the other. */
const ORDER: readonly FieldAction[] = ['append', 'set', 'add_if_absent', 'set_if_exists']

function inEnvoysOrder(fields: readonly FieldChange[]): FieldChange[] {
  return ORDER.flatMap((action) => fields.filter((field) => field.action === action))
}

/** In the place of what others said, each as often as it is given. Envoy knows no actions here, and drops what is to be appended. */
function ofDenial(options: readonly HeaderValueOption[]): FieldChange[] {
  const names = new Set<string>()
  return changes(
    options.filter(({ append }) => append !== true),
    ({ header }) => {
      const name = header?.key.toLowerCase() ?? ''
      if (names.has(name)) return 'append'
      names.add(name)
      return 'set'
    },
  )
}
