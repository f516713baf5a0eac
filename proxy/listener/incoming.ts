import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { RosterMember } from '../../lib/roster.ts'
import { descriptorOf, originalDestination } from '../../lib/sockets/original-destination.ts'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { findFilterChain } from '../decide/filter-chain.ts'
import type { FilterChainPlan, ListenerFilterPlan } from '../plan/plan.ts'
import type { DownstreamTlsPlan } from '../plan/tls-plan.ts'
import type { HandshakeWaiter } from '../tls/acceptor.ts'
import { acceptClient } from '../tls/downstream.ts'
import { tlsFacts } from '../tls/peer.ts'
import type { Listener } from './listener.ts'
import { Sniffer, type SniffState } from './sniff/sniffer.ts'
import { WatchedConnection } from './watched-connection.ts'

/**
 * An accepted connection until its codec has it: its first bytes are looked at, the listener that it was meant for takes
 * it over, its filter chain is found, and its handshake made. Whatever of this a listener does not ask for is left out.
 */
export class Incoming implements HandshakeWaiter, RosterMember {
  rosterIndex = -1
  readonly #socket: Socket
  readonly #facts: ConnectionFacts
  readonly #timer: WheelTimer
  /** Where it is now: at first the listener that accepted it. */
  #listener: Listener
  #watched: WatchedConnection | undefined
  #isHandedOver = false
  #sniffer: Sniffer | undefined
  #chain: FilterChainPlan | undefined
  /** The chain's, with the secrets of when the chain was found: whoever makes the handshake judges it too. */
  #tls: DownstreamTlsPlan | undefined
  /** `naming`: the server name must be known before the handshake can begin. */
  #phase: 'sniffing' | 'delayed' | 'naming' | 'handshake' | 'over' = 'sniffing'

  constructor(socket: Socket, facts: ConnectionFacts, listener: Listener) {
    this.#socket = socket
    this.#facts = facts
    this.#listener = listener
    this.#watched = WatchedConnection.of(listener.plan, facts, listener.context)
    this.#timer = new WheelTimer(
      listener.context.bugs.guard(
        'listener',
        () => this.#onTimer(),
        () => this.destroy(),
      ),
    )
  }

  start(): void {
    this.#listener.incoming.add(this)
    this.#socket.on('error', ignore)
    this.#socket.once('close', () => this.#onClose())
    this.#filter()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  // === first bytes ===

  #filter(): void {
    const { listenerFilters, listenerFiltersTimeoutMs } = this.#listener.plan
    if (listenerFilters.length === 0) this.#route()
    else this.#sniff(listenerFilters, listenerFiltersTimeoutMs)
  }

  #sniff(filters: readonly ListenerFilterPlan[], timeoutMs: number): void {
    const { context, sniffStats, stats } = this.#listener
    const sniffer = new Sniffer(filters, this.#facts, sniffStats, (facts) => restoreDestination(this.#socket, facts))
    this.#sniffer = sniffer
    stats.downstream_pre_cx_active.inc()
    if (this.#advance(sniffer.push(undefined))) return
    if (timeoutMs > 0) context.wheel.arm(this.#timer, timeoutMs)
    this.#socket.on('data', this.#onData)
    this.#socket.once('end', this.#onEnd)
    if (this.#socket.isPaused()) this.#socket.resume()
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      if (this.#sniffer !== undefined) this.#advance(this.#sniffer.push(chunk))
    } catch (thrown) {
      this.#listener.context.bugs.report('listener', thrown)
      this.destroy()
    }
  }

  readonly #onEnd = (): void => {
    this.#listener.stats.downstream_listener_filter_remote_close.inc()
    this.destroy()
  }

  /** false while the filters need more. */
  #advance(state: SniffState): boolean {
    if (state === 'waiting') return false
    if (state === 'done') this.#onSniffed()
    else {
      const { stats } = this.#listener
      if (this.#phase === 'naming') stats.ssl.connection_error.inc()
      else stats.downstream_listener_filter_error.inc()
      this.destroy()
    }
    return true
  }

  #endSniffing(): void {
    const sniffer = this.#sniffer
    if (sniffer === undefined) return
    const socket = this.#socket
    this.#sniffer = undefined
    this.#listener.context.wheel.disarm(this.#timer)
    this.#listener.stats.downstream_pre_cx_active.dec()
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    if (socket.destroyed) return
    socket.pause()
    sniffer.giveBack(socket)
  }

  #onSniffed(): void {
    this.#endSniffing()
    if (this.#phase === 'naming' && this.#chain !== undefined) this.#shakeHands(this.#chain)
    else this.#route()
  }

  #route(): void {
    const { plan } = this.#listener
    const { isRestored, destinationAddress, destinationPort } = this.#facts
    const target =
      plan.useOriginalDst && isRestored && !this.#isHandedOver
        ? this.#listener.listeners.listenerOf(destinationAddress, destinationPort)
        : undefined
    if (target === undefined || target === this.#listener) {
      this.#match()
      return
    }
    this.#isHandedOver = true
    this.#listener.incoming.delete(this)
    this.#listener = target
    // Only the listener that it was meant for tells of it.
    this.#watched = WatchedConnection.of(target.plan, this.#facts, target.context)
    target.incoming.add(this)
    this.#filter()
  }

  // === filter chain ===

  #match(): void {
    const { plan, stats, context } = this.#listener
    const chain = findFilterChain(plan, this.#facts)
    if (chain === undefined) {
      stats.no_filter_chain_match.inc()
      this.#watched?.note('NR', 'filter_chain_not_found')
      this.destroy()
      return
    }
    this.#chain = chain
    const limit = chain.connectionLimit
    if (limit !== undefined && !this.#listener.takeFromLimit(limit, chain, this.#socket)) {
      this.#phase = 'delayed'
      if (limit.delayMs > 0) context.wheel.arm(this.#timer, limit.delayMs)
      else this.destroy()
      return
    }
    const tls = chain.tls?.of(context.plan.secrets)
    this.#tls = tls
    if (tls === undefined) this.#serve(this.#socket, chain)
    else if (tls.acceptors === undefined) {
      stats.ssl.context_secrets_not_ready.inc()
      this.destroy()
    } else if (tls.acceptors.needsServerName && this.#facts.transportProtocol !== 'tls') {
      this.#phase = 'naming'
      this.#sniff(SERVER_NAME, chain.handshakeTimeoutMs)
    } else this.#shakeHands(chain)
  }

  // === handshake ===

  #shakeHands(chain: FilterChainPlan): void {
    this.#phase = 'handshake'
    this.#listener.context.wheel.arm(this.#timer, chain.handshakeTimeoutMs)
    this.#tls?.acceptors?.find(this.#facts.serverName).accept(this.#socket, this)
  }

  onSecure(socket: TLSSocket, localUris: readonly string[]): void {
    const { context, stats } = this.#listener
    const chain = this.#chain
    const tlsPlan = this.#tls
    context.wheel.disarm(this.#timer)
    if (this.#phase !== 'handshake' || chain === undefined || tlsPlan === undefined) {
      socket.destroy()
      return
    }
    try {
      const tls = tlsFacts(socket, localUris, tlsPlan.peer)
      if (!acceptClient(socket, tls, tlsPlan, stats.ssl, context.clock.wallMs())) {
        this.#phase = 'over'
        socket.on('error', ignore)
        socket.destroy()
        return
      }
      this.#facts.tls = tls
      this.#serve(socket, chain)
    } catch (thrown) {
      context.bugs.report('listener', thrown)
      socket.destroy()
    }
  }

  onHandshakeFailed(): void {
    if (this.#phase === 'handshake') this.#listener.stats.ssl.connection_error.inc()
  }

  #serve(socket: Socket, chain: FilterChainPlan): void {
    this.#phase = 'over'
    this.#listener.incoming.delete(this)
    this.#listener.serve(socket, this.#facts, chain, this.#watched?.record)
  }

  // === ends ===

  #onTimer(): void {
    const { plan, stats } = this.#listener
    if (this.#phase === 'sniffing') {
      stats.downstream_pre_cx_timeout.inc()
      if (plan.continueOnListenerFiltersTimeout) this.#onSniffed()
      else this.destroy()
      return
    }
    if (this.#phase !== 'delayed') stats.downstream_cx_transport_socket_connect_timeout.inc()
    this.destroy()
  }

  #onClose(): void {
    this.#endSniffing()
    this.#listener.context.wheel.disarm(this.#timer)
    this.#listener.incoming.delete(this)
    this.#watched?.end()
  }
}

/** Looks for the server name only. */
const SERVER_NAME: readonly ListenerFilterPlan[] = [{ kind: 'tls_inspector', isDisabled: undefined }]

/** A reset is followed by `close`, where everything is cleaned up. */
function ignore(): void {}

function restoreDestination(socket: Socket, facts: ConnectionFacts): void {
  const fd = descriptorOf(socket)
  const destination = fd === undefined ? undefined : originalDestination(fd)
  if (destination === undefined) return
  // Of a connection that came here by itself the kernel may name our own end: nothing to go on to.
  if (destination.address === facts.destinationAddress && destination.port === facts.destinationPort) return
  facts.destinationAddress = destination.address
  facts.destinationPort = destination.port
  facts.isRestored = true
}
