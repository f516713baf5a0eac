import { create, type JsonObject } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
  MetadataSchema,
} from '../../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  AttributeContext_HttpRequestSchema,
  AttributeContext_RequestSchema,
  AttributeContextSchema,
} from '../../../../api/gen/envoy/service/auth/v3/attribute_context_pb.js'
import { CheckRequestSchema, type CheckResponse } from '../../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import type { FieldAction, FieldChange } from '../../../decide/field-change.ts'
import type { Asker } from '../../../decide/question.ts'
import type { SideRequest, SideResult } from '../../../stream/side-call.ts'
import { checkCall, isAllowed, readCheckResponse } from '../../ext-authz/check-call.ts'
import type { GrpcServicePlan } from '../../ext-authz/grpc-service.ts'
import { destinationPeer, sourcePeer } from '../../ext-authz/peers.ts'
import { type ExtAuthzConfig, isNamed } from './config.ts'
import { type CheckResult, fieldChange, mayRemove } from './result.ts'

/** What a server is told of a request. */
export function grpcRequest(
  service: GrpcServicePlan,
  config: ExtAuthzConfig,
  extensions: Readonly<Record<string, string>>,
  asker: Asker,
  body: Buffer | undefined,
  isPartial: boolean,
): SideRequest {
  return checkCall(service, checkRequest(config, extensions, asker, body, isPartial))
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
  return create(CheckRequestSchema, {
    attributes: create(AttributeContextSchema, {
      source: sourcePeer(facts, config.includePeerCertificate),
      destination: destinationPeer(facts),
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

/** What a server has answered; everything that is no answer is an error. */
export function readGrpcAnswer(result: SideResult): CheckResult {
  const response = readCheckResponse(result)
  return response === undefined ? { kind: 'error' } : readResponse(response)
}

function readResponse(response: CheckResponse): CheckResult {
  const { httpResponse, dynamicMetadata: metadata } = response
  if (isAllowed(response)) {
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
