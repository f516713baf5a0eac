import { create, fromBinary, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { ExtAuthzSchema } from '../../../api/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { CheckRequestSchema, CheckResponseSchema } from '../../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import { ManualClock } from '../../../lib/clock.ts'
import { env } from '../../../lib/env.ts'
import { type Random, randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { checkBag } from '../../../mixer/attributes/from-check.ts'
import { References } from '../../../mixer/attributes/references.ts'
import { splitReference } from '../../../mixer/attributes/text.ts'
import { mapValue, type StringMap } from '../../../mixer/attributes/value.ts'
import { VOCABULARY } from '../../../mixer/attributes/vocabulary.ts'
import { checkResponse } from '../../../mixer/services/check-answer.ts'
import type { Call } from '../../../proxy/decide/call.ts'
import { connectionFacts } from '../../../proxy/decide/connection-facts.ts'
import { type Decision, newDecision } from '../../../proxy/decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../proxy/decide/surroundings.ts'
import { attributeReader } from '../../../proxy/filters/http/ext-authz/cache/attributes.ts'
import { newCheckCache } from '../../../proxy/filters/http/ext-authz/cache/check-cache.ts'
import { compileExtAuthz } from '../../../proxy/filters/http/ext-authz/config.ts'
import { extAuthz } from '../../../proxy/filters/http/ext-authz/filter.ts'
import { grpcRequest, readGrpcAnswer } from '../../../proxy/filters/http/ext-authz/grpc-check.ts'
import { FilterMemory } from '../../../proxy/filters/memory.ts'
import { headOf } from '../../../proxy/filters/rbac/testing.ts'
import type { RoutePlan } from '../../../proxy/plan/plan.ts'
import type { StreamContext } from '../../../proxy/stream/context.ts'
import { HeaderBlock } from '../../../proxy/stream/header-block.ts'

/*
 * Answers that are kept, against a server that is asked each time: policies that read attributes as the mixer does, one after the
 * other as what they have read says, and note them. What the filter does with its memory must be what one of the policies that were in
 * force within the answer's validity says of this very call.
 */

const FRAME_HEADER_BYTES = 5
const ROUNDS = 25
const CALLS = 600
/** How much is kept is the policies' luck: a run goes on, within a bound, until so many calls were answered from memory. */
const MIN_HITS = ROUNDS * CALLS * 0.1
const MAX_ROUNDS = 4 * ROUNDS

/** What policies read; some of it is in no call, and one is another in each. */
const ATTRIBUTES = [
  'source.ip',
  'source.namespace',
  'source.labels[app]',
  'destination.labels[app]',
  'destination.service.name',
  'destination.port',
  'request.method',
  'request.host',
  'request.url_path',
  'request.path',
  'request.query_params[q]',
  'request.query_params',
  'request.headers[a]',
  'request.headers[B]',
  'request.headers[hidden]',
  'request.useragent',
  'request.api_key',
  'context.protocol',
  'request.id',
  'request.headers',
]

/** What routes tell. */
const TOLD: readonly Record<string, string>[] = [
  {},
  { 'destination.labels[app]': 'a' },
  { 'source.ip': '10.0.0.9', 'destination.service.host': 'a.b.svc.c' },
]

/** A decision tree: reads an attribute, and goes on by a sum of the letters of its value. */
interface Policy {
  readonly tree: readonly string[]
  readonly salt: number
  readonly validDurationMs: number
  readonly validUseCount: number
}

function sumOf(text: string, salt: number): number {
  let sum = salt
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) % 65_521
  return sum
}

/** The message of a CheckRequest, and what the policy says of it. */
function verdict(policy: Policy, message: Uint8Array, id: number) {
  const bag = checkBag(fromBinary(CheckRequestSchema, message), VOCABULARY)
  const references = new References()
  let at = 0
  let sum = policy.salt
  for (let depth = 0; depth < 3; depth++) {
    const { name, key } = splitReference(policy.tree[at % policy.tree.length] as string)
    const value = bag.get(name)
    const entry = value === undefined || key === undefined ? value : mapValue(value as StringMap, key)
    references.add(name, value === undefined ? undefined : key, entry !== undefined)
    sum = sumOf(entry === undefined ? '-' : JSON.stringify(entry), sum)
    at = at * 3 + 1 + (sum % 3)
  }
  const { validDurationMs, validUseCount } = policy
  const isDenied = sum % 2 === 1
  return {
    code: isDenied ? 7 : 0,
    text: `PERMISSION_DENIED:${sum}`,
    response: checkResponse({
      code: isDenied ? 7 : 0,
      message: String(sum),
      validDurationMs,
      validUseCount,
      references,
      requestChanges: isDenied ? [] : [{ operation: 'REPLACE', name: 'x-sum', value: `${sum}` }],
      responseChanges: [{ operation: 'REPLACE', name: 'x-answer', value: `${id}` }],
      problem: '',
    }),
  }
}

const oneOf = <T>(random: Random, list: readonly T[]): T => list[randomInt(random, list.length)] as T

function randomPolicy(random: Random): Policy {
  // Most keep away from what makes every call another.
  const from = random.next() < 0.2 ? ATTRIBUTES : ATTRIBUTES.slice(0, -2)
  return {
    tree: Array.from({ length: 13 }, () => oneOf(random, from)),
    salt: randomInt(random, 1000),
    validDurationMs: oneOf(random, [0, 50, 500, 5_000]),
    validUseCount: oneOf(random, [0, 1, 3, 100, 10_000]),
  }
}

function randomCall(random: Random, memory: FilterMemory): Call {
  const value = () => oneOf(random, ['', 'a', 'b', 'a,b', 'a%2Cb', '1:a'])
  const headers: [string, string][] = []
  for (const name of ['a', 'b', 'hidden', 'user-agent', 'x-api-key', 'A']) {
    if (random.next() < 0.4) headers.push([name, value()])
  }
  if (random.next() < 0.2) headers.push(['content-type', 'application/grpc'])
  const query = oneOf(random, ['', '?', `?q=${value()}`, `?%71=${value()}&q=${value()}`, `?q=${value()}&q=b`, '?key=1'])
  const head = headOf({ path: `${oneOf(random, ['/', '/a', '/b'])}${query}`, headers })
  head.method = oneOf(random, ['GET', 'POST'])
  return {
    head,
    facts: connectionFacts({
      sourceAddress: oneOf(random, ['10.0.0.1', '10.0.0.2']),
      destinationPort: oneOf(random, [80, 81]),
    }),
    random,
    randomValue: 0,
    wallMs: () => 0,
    around: { ...SYMBOLIC_SURROUNDINGS, memory },
    addRequestId: () => {},
  }
}

/** A gRPC answer of one message, as it comes. */
function answered(message: Uint8Array) {
  const body = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), message])
  body.writeUInt32BE(message.length, 1)
  return readGrpcAnswer({
    kind: 'answered',
    status: 200,
    fields: new HeaderBlock(),
    body,
    trailers: 'grpc-status: 0\r\n',
  })
}

function outcome(decision: Decision, { head }: Call): string {
  return decision.outcome === 'local_reply' ? `${decision.body}` : `allowed ${head.get('x-sum')}`
}

test('the proxy knows every attribute of calls, but for those that each has of its own', () => {
  const json = { grpc_service: { envoy_grpc: { cluster_name: 'authz' } } } as JsonValue
  const config = compileExtAuthz(anyPack(ExtAuthzSchema, fromJson(ExtAuthzSchema, json)), 'at')
  const ofCalls = [...VOCABULARY.keys()].filter((name) => !name.startsWith('span.'))
  const unknown = ofCalls.filter((name) => attributeReader(name, config, {}) === undefined)
  expect(unknown.sort()).toEqual(['context.time', 'context.timestamp', 'request.headers', 'request.id', 'request.time'])
})

test('what is kept is said only of calls of which the server would say it', () => {
  const seed = Number(env('LATEEN_TEST_SEED') || randomInt(systemRandom, 1e9))
  process.stdout.write(`kept answers: LATEEN_TEST_SEED=${seed}\n`)
  const random = seededRandom(seed)
  let hits = 0
  for (let round = 0; round < ROUNDS || (hits <= MIN_HITS && round < MAX_ROUNDS); round++) {
    const clock = new ManualClock()
    const memory = new FilterMemory({ clock } as unknown as StreamContext)
    const json = {
      grpc_service: { envoy_grpc: { cluster_name: 'authz' } },
      disallowed_headers: { patterns: [{ exact: 'hidden' }] },
    } as JsonValue
    const config = compileExtAuthz(anyPack(ExtAuthzSchema, fromJson(ExtAuthzSchema, json)), 'at')
    const routes = TOLD.map((contextExtensions) => ({ disabled: false, contextExtensions }))
    const policies: { policy: Policy; fromMs: number; toMs: number }[] = [
      { policy: randomPolicy(random), fromMs: 0, toMs: Number.POSITIVE_INFINITY },
    ]
    const uses = new Map<string, number>()
    for (let i = 0; i < CALLS; i++) {
      if (random.next() < 0.002) {
        ;(policies.at(-1) as { toMs: number }).toMs = clock.nowMs()
        policies.push({ policy: randomPolicy(random), fromMs: clock.nowMs(), toMs: Number.POSITIVE_INFINITY })
      }
      if (random.next() < 0.3) clock.advance(randomInt(random, 100))
      const call = randomCall(random, memory)
      const route = oneOf(random, routes)
      const asker = {
        call,
        // Nobody is asked about a call that no route takes.
        decision: { ...newDecision(), route: {} as RoutePlan },
        context: undefined,
        body: () => [],
        bodyIsEnded: true,
        answer() {},
      }
      const { body } = grpcRequest(
        config.service as Parameters<typeof grpcRequest>[0],
        config,
        route.contextExtensions,
        asker,
        undefined,
        false,
      )
      const message = (body as Buffer).subarray(FRAME_HEADER_BYTES)
      const { decision } = asker
      extAuthz.judge(route, call, decision, undefined, config)
      if (decision.outcome === 'ask') {
        const { policy } = policies.at(-1) as { policy: Policy }
        const said = toBinary(CheckResponseSchema, create(CheckResponseSchema, verdict(policy, message, i).response))
        const result = answered(said)
        memory.of(config, newCheckCache).keep(result, call, decision, route.contextExtensions)
        continue
      }
      hits++
      const at = outcome(decision, call)
      // An answer was given by a policy that was in force while it was still valid.
      const possible = policies.filter(({ policy, toMs }) => toMs > clock.nowMs() - policy.validDurationMs)
      const allowed = possible.map(({ policy }) => {
        const { code, text, response } = verdict(policy, message, 0)
        if (code !== 0) return text
        const { httpResponse } = response
        const [field] = httpResponse.case === 'okResponse' ? httpResponse.value.headers : []
        return `allowed ${field?.header?.value}`
      })
      if (!allowed.includes(at)) expect([seed, round, i, at]).toEqual([seed, round, i, allowed])
      const id = decision.responseHeaders?.find(({ name }) => name === 'x-answer')?.value ?? ''
      uses.set(id, (uses.get(id) ?? 1) + 1)
    }
    const most = Math.max(...policies.map(({ policy }) => policy.validUseCount), 1)
    for (const [id, count] of uses) expect([seed, round, id, count <= most]).toEqual([seed, round, id, true])
  }
  // Else nothing was tested.
  expect(hits).toBeGreaterThan(MIN_HITS)
})
