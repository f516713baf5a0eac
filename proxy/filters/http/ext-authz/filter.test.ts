import { create, fromBinary, fromJson, type JsonValue, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { HeaderValueOption_HeaderAppendAction as Action } from '../../../../api/gen/envoy/config/core/v3/base_pb.js'
import { ExtAuthzSchema } from '../../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { CheckRequestSchema, CheckResponseSchema } from '../../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import type { Call } from '../../../decide/call.ts'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { newDecision } from '../../../decide/decision.ts'
import { changeResponse } from '../../../decide/field-change.ts'
import { metadataAt, setMetadata } from '../../../decide/metadata.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../decide/surroundings.ts'
import type { RoutePlan } from '../../../plan/plan.ts'
import { HeaderBlock } from '../../../stream/header-block.ts'
import type { SideResult } from '../../../stream/side-call.ts'
import type { PeerIdentity } from '../../../tls/peer.ts'
import { headOf } from '../../rbac/testing.ts'
import { compileExtAuthz, type ExtAuthzConfig } from './config.ts'
import { extAuthz } from './filter.ts'
import { grpcRequest, readGrpcAnswer } from './grpc-check.ts'

const NAME = 'envoy.filters.http.ext_authz'
const FRAME_HEADER_BYTES = 5

function configOf(fields: object = {}): ExtAuthzConfig {
  const json = { grpc_service: { envoy_grpc: { cluster_name: 'authz' } }, ...fields } as JsonValue
  return compileExtAuthz(anyPack(ExtAuthzSchema, fromJson(ExtAuthzSchema, json)), 'at')
}

function callOf(facts: Call['facts'] = connectionFacts({})): Call {
  return {
    head: headOf({ path: '/a', headers: [['x-more', 'a']] }),
    facts,
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 1_700_000_000_000,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: () => {},
  }
}

type Response = MessageInitShape<typeof CheckResponseSchema>

/** As it comes from the server. */
function answered(response: Response): SideResult {
  const message = toBinary(CheckResponseSchema, create(CheckResponseSchema, response))
  const body = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), message])
  body.writeUInt32BE(message.length, 1)
  return { kind: 'answered', status: 200, fields: new HeaderBlock(), body, trailers: 'grpc-status: 0\r\n' }
}

/** What becomes of a call of which the server says this. */
function judge(config: ExtAuthzConfig, response: Response) {
  const call = callOf()
  const decision = newDecision()
  decision.route = {} as RoutePlan
  expect(extAuthz.judge(config, call, decision, undefined, config)).toBe(true)
  expect(decision.outcome).toBe('ask')
  decision.outcome = 'forward'
  extAuthz.judge(config, call, decision, readGrpcAnswer(answered(response)), config)
  return { decision, head: call.head }
}

const ok = (value: object): Response =>
  ({ status: { code: 0 }, httpResponse: { case: 'okResponse', value } }) as Response
const header = (key: string, value: string, fields: object = {}) => ({ header: { key, value }, ...fields })
const USER = ok({ headers: [header('x-user', 'alice')] })

test.each([
  ['what changes the request', true, USER, true],
  ['what takes something away', true, ok({ headersToRemove: ['x-more'] }), true],
  ['what changes the query', true, ok({ queryParametersToSet: [{ key: 'a', value: 'b' }] }), true],
  ['what changes nothing of the request', true, ok({ responseHeadersToAdd: [header('x-seen', 'yes')] }), false],
  ['a bare yes', true, { status: { code: 0 } }, false],
  ['a change, unless that is asked for', false, USER, false],
] as const)(
  'clear_route_cache: the route is looked up again after %s',
  (_name, clear_route_cache, response, clears) => {
    const { decision } = judge(configOf({ clear_route_cache }), response as Response)
    expect([decision.outcome, decision.clearsRoute]).toEqual(['forward', clears])
  },
)

test('dynamic metadata of the answer is there for what comes after, unless it is not wanted', () => {
  const response: Response = { ...USER, dynamicMetadata: { tier: 'gold', nested: { a: [1] } } }
  const { decision } = judge(configOf(), response)
  expect(metadataAt(decision, NAME, ['tier'])).toBe('gold')
  expect(metadataAt(decision, NAME, ['nested', 'a'])).toEqual([1])
  const deaf = judge(configOf({ enable_dynamic_metadata_ingestion: false }), response)
  expect(deaf.decision.metadata).toBeUndefined()
  // A refusal tells why.
  const denied = judge(configOf(), { status: { code: 7 }, dynamicMetadata: { why: 'late' } })
  expect([denied.decision.status, metadataAt(denied.decision, NAME, ['why'])]).toEqual([403, 'late'])
})

test('fields are laid over the response as each says', () => {
  const { decision } = judge(
    configOf(),
    ok({
      responseHeadersToAdd: [
        header('set-cookie', 'b=2', { append: true }),
        header('x-kept', 'ours', { appendAction: Action.ADD_IF_ABSENT }),
        header('x-new', 'ours', { appendAction: Action.ADD_IF_ABSENT }),
        header('x-none', 'ours', { appendAction: Action.OVERWRITE_IF_EXISTS }),
        header('x-over', 'ours', { append: false }),
      ],
    }),
  )
  const response = new HeaderBlock()
  for (const [name, value] of [
    ['set-cookie', 'a=1'],
    ['x-kept', 'theirs'],
    ['x-over', 'theirs'],
  ] as const) {
    response.append(name, value)
  }
  for (const change of decision.responseHeaders ?? []) changeResponse(response, change)
  expect([...response.fields()].sort()).toEqual([
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['x-kept', 'theirs'],
    ['x-new', 'ours'],
    ['x-over', 'ours'],
  ])
})

const CERTIFICATE = Buffer.from('a certificate in DER')
const peer = { uri: 'spiffe://td/ns/a/sa/web', altNames: [], subject: '', raw: CERTIFICATE } as unknown as PeerIdentity
const overTls = connectionFacts({
  sourceAddress: '192.0.2.1',
  sourcePort: 5,
  tls: {
    version: 'TLSv1.3',
    cipher: '',
    serverName: '',
    alpn: '',
    isResumed: false,
    localUris: ['spiffe://td/ns/a/sa/server'],
    peer,
    isPeerVerified: true,
  },
})

function told(config: ExtAuthzConfig, facts: Call['facts']) {
  const { service } = config
  if (service.kind !== 'grpc') throw new Error('not by gRPC')
  const decision = newDecision()
  decision.route = {} as RoutePlan
  setMetadata(decision, 'of.a.filter', { known: true })
  setMetadata(decision, 'of.another', { secret: true })
  const call = callOf(facts)
  const asker = { call, decision, context: undefined, body: () => [], bodyIsEnded: true, answer() {} }
  const { body } = grpcRequest(service, config, { route: 'r' }, asker, undefined, false)
  return fromBinary(CheckRequestSchema, (body as Buffer).subarray(FRAME_HEADER_BYTES)).attributes
}

test('the server is told who calls, and of the certificate where that is asked for', () => {
  const { source, destination } = told(configOf({ include_peer_certificate: true }), overTls) ?? {}
  expect([source?.principal, destination?.principal]).toEqual(['spiffe://td/ns/a/sa/web', 'spiffe://td/ns/a/sa/server'])
  const pem = decodeURIComponent(source?.certificate ?? '')
  expect(pem).toContain('-----BEGIN CERTIFICATE-----')
  expect(pem).toContain(CERTIFICATE.toString('base64'))
  expect(source?.certificate).not.toMatch(/[\s+/=]/)
  expect(told(configOf(), overTls)?.source?.certificate).toBe('')
  // A name that nobody has verified is nobody's.
  const unverified = { ...overTls, tls: overTls.tls && { ...overTls.tls, isPeerVerified: false } }
  expect(told(configOf(), unverified)?.source?.principal).toBe('')
  expect(told(configOf({ include_peer_certificate: true }), connectionFacts({}))?.source).toMatchObject({
    principal: '',
    certificate: '',
  })
})

test('and of metadata, as far as its names are given', () => {
  const attributes = told(configOf({ metadata_context_namespaces: ['of.a.filter', 'of.nobody'] }), overTls)
  expect(attributes?.metadataContext?.filterMetadata).toEqual({ 'of.a.filter': { known: true } })
  expect(attributes?.contextExtensions).toEqual({ route: 'r' })
})

test('nobody is asked about a call that no route takes', () => {
  const decision = newDecision()
  const config = configOf({})
  expect(extAuthz.judge(config, callOf(), decision, undefined, config)).toBe(false)
  expect(decision.outcome).not.toBe('ask')
})
