import type { Socket } from 'node:net'
import type { ConnectionFacts } from '../../decide/connection-facts.ts'
import type { ListenerFilterPlan } from '../../plan/plan.ts'
import type { SniffStats } from '../stats.ts'
import { ClientHelloReader } from './client-hello.ts'
import { HttpInspector } from './http-inspector.ts'
import { ProxyHeader } from './proxy-protocol.ts'
import { MAX_SNIFFED_BYTES, SNIFF } from './result.ts'

/** How the listener filters ended, or that they wait for bytes. */
export type SniffState = 'waiting' | 'done' | 'refused'

const NO_BYTES = Buffer.alloc(0)

/**
 * Runs a listener's filters over the first bytes of one connection, in order, and writes into its facts what they find.
 * It keeps the bytes, at most MAX_SNIFFED_BYTES of them, and gives them back when the filters are done: all but a PROXY
 * header.
 */
export class Sniffer {
  state: SniffState = 'waiting'
  readonly #filters: readonly ListenerFilterPlan[]
  readonly #facts: ConnectionFacts
  readonly #stats: SniffStats
  readonly #restoreDestination: (facts: ConnectionFacts) => void
  #next = 0
  #bytes: Buffer = NO_BYTES
  #start = 0
  #end = 0
  #reader: ClientHelloReader | HttpInspector | ProxyHeader | undefined

  /** `restoreDestination` does what `original_dst` asks for. */
  constructor(
    filters: readonly ListenerFilterPlan[],
    facts: ConnectionFacts,
    stats: SniffStats,
    restoreDestination: (facts: ConnectionFacts) => void,
  ) {
    this.#filters = filters
    this.#facts = facts
    this.#stats = stats
    this.#restoreDestination = restoreDestination
  }

  /** Takes what has come and goes on as far as it can. The first call brings no bytes: not every filter needs some. */
  push(chunk: Buffer | undefined): SniffState {
    if (chunk !== undefined) this.#append(chunk)
    while (this.state === 'waiting') {
      const filter = this.#filters[this.#next]
      if (filter === undefined) this.state = 'done'
      else if (filter.isDisabled?.(this.#facts.destinationPort) || this.#run(filter)) {
        this.#next++
        this.#reader = undefined
      } else break
    }
    return this.state
  }

  /** Puts back what was read and belongs to the connection. The socket must be paused. */
  giveBack(socket: Socket): void {
    if (this.#end > this.#start) socket.unshift(this.#bytes.subarray(this.#start, this.#end))
    this.#bytes = NO_BYTES
  }

  #append(chunk: Buffer): void {
    if (this.#end === 0) {
      this.#bytes = chunk
      this.#end = chunk.length
      return
    }
    const needed = this.#end + chunk.length
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(needed * 2)
      this.#bytes.copy(larger, 0, 0, this.#end)
      this.#bytes = larger
    }
    chunk.copy(this.#bytes, this.#end)
    this.#end = needed
  }

  get #isFull(): boolean {
    return this.#end - this.#start >= MAX_SNIFFED_BYTES
  }

  /** true when the filter has done its work. */
  #run(filter: ListenerFilterPlan): boolean {
    switch (filter.kind) {
      case 'original_dst':
        this.#restoreDestination(this.#facts)
        return true
      case 'proxy_protocol':
        return this.#readProxyHeader(filter)
      case 'tls_inspector':
        return this.#inspectTls()
      default:
        return this.#facts.transportProtocol === 'tls' || this.#inspectHttp()
    }
  }

  #refuse(): false {
    this.state = 'refused'
    return false
  }

  #readProxyHeader(filter: ListenerFilterPlan & { kind: 'proxy_protocol' }): boolean {
    const header = new ProxyHeader()
    const result = header.read(this.#bytes, this.#start, this.#end)
    const stats = this.#stats
    if (result === SNIFF.more) return this.#isFull ? this.#refuse() : false
    if (result === SNIFF.absent) {
      stats[filter.isOptional ? 'proxy_proto.not_found_allowed' : 'proxy_proto.not_found_disallowed'].inc()
      return filter.isOptional || this.#refuse()
    }
    const version = header.version === 1 ? 'v1' : 'v2'
    if (result === SNIFF.broken || !filter.versions[version]) {
      stats[`proxy_proto.versions.${version}.${result === SNIFF.broken ? 'error' : 'disallowed'}`].inc()
      return this.#refuse()
    }
    stats[`proxy_proto.versions.${version}.found`].inc()
    this.#start += header.length
    if (header.hasAddresses) this.#takeAddresses(header)
    return true
  }

  #takeAddresses(header: ProxyHeader): void {
    const facts = this.#facts
    facts.sourceAddress = header.sourceAddress
    facts.sourcePort = header.sourcePort
    if (facts.destinationAddress === header.destinationAddress && facts.destinationPort === header.destinationPort)
      return
    facts.destinationAddress = header.destinationAddress
    facts.destinationPort = header.destinationPort
    facts.isRestored = true
  }

  #inspectTls(): boolean {
    if (!(this.#reader instanceof ClientHelloReader)) this.#reader = new ClientHelloReader()
    const reader = this.#reader
    const result = reader.read(this.#bytes, this.#start, this.#end)
    const stats = this.#stats
    if (result === SNIFF.more) {
      if (!this.#isFull) return false
      stats['tls_inspector.client_hello_too_large'].inc()
      return this.#refuse()
    }
    if (result === SNIFF.broken) return this.#refuse()
    if (result === SNIFF.absent) {
      stats['tls_inspector.tls_not_found'].inc()
      return true
    }
    const facts = this.#facts
    facts.transportProtocol = 'tls'
    facts.serverName = reader.serverName
    facts.applicationProtocols = reader.protocols
    stats['tls_inspector.tls_found'].inc()
    stats[reader.serverName === '' ? 'tls_inspector.sni_not_found' : 'tls_inspector.sni_found'].inc()
    stats[reader.protocols.length === 0 ? 'tls_inspector.alpn_not_found' : 'tls_inspector.alpn_found'].inc()
    return true
  }

  #inspectHttp(): boolean {
    if (!(this.#reader instanceof HttpInspector)) this.#reader = new HttpInspector()
    const reader = this.#reader
    const result = reader.read(this.#bytes, this.#start, this.#end)
    if (result === SNIFF.more && !this.#isFull) return false
    if (reader.protocol !== '') this.#facts.applicationProtocols = [reader.protocol]
    this.#stats[HTTP_FOUND[reader.protocol] ?? 'http_inspector.http_not_found'].inc()
    return true
  }
}

const HTTP_FOUND: Readonly<Record<string, keyof SniffStats>> = {
  'http/1.0': 'http_inspector.http10_found',
  'http/1.1': 'http_inspector.http11_found',
  h2c: 'http_inspector.http2_found',
}
