import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER } from '../../../api/names.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import type { NodeScope } from '../../mesh/scope.ts'
import { type ChainPlan, type ListenerPlan, tcpTarget } from './plan.ts'
import { securedChains } from './sidecar-inbound.ts'

/**
 * The two listeners that redirected connections come to first. Each has a chain for connections to its own port,
 * which would otherwise go round for ever.
 */

export function virtualOutbound(scope: NodeScope, options: MeshOptions): ListenerPlan {
  const cluster = scope.outboundTrafficPolicy === 'ALLOW_ANY' ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER
  return {
    name: 'virtualOutbound',
    bind: '0.0.0.0',
    port: options.proxyListenPort,
    bindToPort: true,
    direction: 'outbound',
    useOriginalDst: true,
    chains: [loopGuard('virtualOutbound-blackhole', options.proxyListenPort)],
    defaultChain: catchAll('virtualOutbound-catchall-tcp', cluster),
    origin: undefined,
  }
}

/** Ports that no service has are passed through, and called as the workload is. */
export function virtualInbound(chains: readonly ChainPlan[], scope: NodeScope, options: MeshOptions): ListenerPlan {
  const others = securedChains(
    catchAll('virtualInbound-catchall-tcp', INBOUND_PASSTHROUGH_CLUSTER),
    scope.mtls.workload,
  )
  const plain = others.find((chain) => chain.tls === undefined)

  return {
    name: 'virtualInbound',
    bind: '0.0.0.0',
    port: options.proxyInboundListenPort,
    bindToPort: true,
    direction: 'inbound',
    useOriginalDst: true,
    chains: [
      loopGuard('virtualInbound-blackhole', options.proxyInboundListenPort),
      ...chains,
      ...others.filter((chain) => chain !== plain),
    ],
    defaultChain: plain,
    origin: undefined,
  }
}

function loopGuard(name: string, port: number): ChainPlan {
  return { name, match: { port }, target: tcpTarget(BLACK_HOLE_CLUSTER), origin: undefined }
}

function catchAll(name: string, cluster: string): ChainPlan {
  return { name, match: {}, target: tcpTarget(cluster), origin: undefined }
}
