import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { RBACSchema } from '../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import { type ConnectionFacts, connectionFacts } from '../../decide/connection-facts.ts'
import type { DynamicMetadata } from '../../decide/metadata.ts'
import { parseRequestHead } from '../../http1/request-parser.ts'
import { RequestHead } from '../../stream/message.ts'
import type { TlsFacts } from '../../tls/peer.ts'
import { Asked } from './asked.ts'
import { compileEngine, findPolicy, type RbacEngine } from './engine.ts'

/** Helpers for the tests of this room and for benches. */

/** Of envoy.config.rbac.v3.RBAC as JSON, with the proto's field names. */
export function engineOf(rbac: unknown): RbacEngine {
  return compileEngine(fromJson(RBACSchema, rbac as JsonValue, { registry: REGISTRY }), undefined, 'rules')
}

export interface TestCall {
  method?: string
  path?: string
  host?: string
  headers?: readonly (readonly [name: string, value: string])[]
  /** URIs of a certificate that was verified. */
  peer?: readonly string[]
  facts?: Partial<ConnectionFacts>
  clientAddress?: string
  metadata?: DynamicMetadata
}

export function headOf({ method = 'GET', path = '/', host = 'h', headers = [] }: TestCall): RequestHead {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const head = new RequestHead()
  const error = parseRequestHead(bytes, 0, bytes.length - 4, head)
  if (error !== undefined) throw new Error(error.detail)
  return head
}

export function peerFacts(uris: readonly string[], isPeerVerified = true): TlsFacts {
  return {
    version: 'TLSv1.3',
    cipher: '',
    serverName: '',
    alpn: '',
    isResumed: false,
    localUris: [],
    isPeerVerified,
    peer: {
      altNames: uris.map((value) => ({ type: 'uri', value })),
      uris,
      uri: uris[0] ?? '',
      subject: 'CN=test',
      raw: Buffer.alloc(0),
      chain: () => [],
      certificateHash: '',
      keyHash: '',
      validToMs: 0,
    },
  }
}

export function askedOf(call: TestCall): Asked {
  const tls = call.peer && peerFacts(call.peer)
  const facts = connectionFacts({ ...(tls && { tls }), ...call.facts })
  const asked = new Asked(facts)
  asked.begin(headOf(call), facts, call.clientAddress ?? '', call.metadata)
  return asked
}

/** The name of the policy that takes the call. */
export function takenBy(engine: RbacEngine, call: TestCall): string | undefined {
  return findPolicy(engine, askedOf(call))?.name
}
