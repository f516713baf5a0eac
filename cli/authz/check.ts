import { type Explanation, explainCall, portOfUrl, type SymbolicCall } from '../../proxy/decide/explain.ts'
import type { ExplainSource } from '../explain/source.ts'

/** What is said of a call whose verdict is asked for. */
export interface CheckedCall {
  readonly method: string
  readonly url: URL
  readonly header: readonly (readonly [name: string, value: string])[]
  /** SPIFFE id; '' in plain text. */
  readonly peer: string
  readonly sourceIp: string
  readonly sni: string
  readonly protocol: SymbolicCall['protocol']
}

/** What the workload's proxy makes of a call; of its trace, what is about policies. */
export async function checkCall(source: ExplainSource, call: CheckedCall): Promise<Explanation> {
  const isMutual = call.peer !== ''
  const result = await explainCall(source.plan, {
    method: call.method.toUpperCase(),
    url: call.url,
    headers: call.header,
    direction: source.isGateway ? 'gateway' : 'inbound',
    destination: source.inboundDestination(portOfUrl(call.url)),
    resolvedAddress: source.resolve(call.url.hostname),
    protocol: call.protocol,
    tls: isMutual ? 'mtls' : 'none',
    sni: call.sni,
    // What the mesh's own clients offer.
    alpn: isMutual ? ['istio'] : [],
    peer: call.peer,
    sourceIp: call.sourceIp,
    randomValue: 0,
    faultDraw: 0,
    assumeHosts: true,
  })
  // What else became of the call is not asked here.
  return { ...result, trace: result.trace.filter(({ candidate }) => / policy /.test(candidate)) }
}

/** The part of it that `--json` prints. */
export function verdictJson({ asks, token, authorization, trace, error }: Explanation) {
  return { asks, token, authorization, trace, error }
}
