import type { ConnectionFacts } from '../../decide/connection-facts.ts'
import { pathname } from '../../decide/fields.ts'
import type { DynamicMetadata } from '../../decide/metadata.ts'
import type { RequestHead } from '../../stream/message.ts'
import { peerNames } from './peer-names.ts'

/**
 * What rules are asked about: a connection, or a call on one. One object is used for all calls of a thread, so that asking
 * allocates nothing.
 */
export class Asked {
  /** undefined for a connection of bytes. */
  head: RequestHead | undefined
  facts: ConnectionFacts
  /** The client that trusted proxies vouch for, or the peer. */
  remoteAddress = ''
  metadata: DynamicMetadata | undefined
  #path: string | undefined
  #hasPath = false

  constructor(facts: ConnectionFacts) {
    this.facts = facts
  }

  /** `clientAddress`: '' where nobody vouches for another than the peer. */
  begin(
    head: RequestHead | undefined,
    facts: ConnectionFacts,
    clientAddress: string,
    metadata: DynamicMetadata | undefined,
  ): void {
    this.head = head
    this.facts = facts
    this.remoteAddress = clientAddress === '' ? facts.sourceAddress : clientAddress
    this.metadata = metadata
    this.#hasPath = false
  }

  /** Without query and fragment; undefined where there is none, as for CONNECT. */
  get path(): string | undefined {
    if (!this.#hasPath) {
      this.#hasPath = true
      const path = this.head?.path ?? ''
      this.#path = path.charCodeAt(0) === SLASH || path === '*' ? withoutFragment(pathname(path)) : undefined
    }
    return this.#path
  }

  /** The names of the peer's certificate, by which it may be meant; none where nobody has verified it. */
  get peerNames(): readonly string[] {
    return peerNames(this.facts)
  }

  get serverName(): string {
    return this.facts.serverName || (this.facts.tls?.serverName ?? '')
  }
}

const SLASH = 47

function withoutFragment(path: string): string {
  const hash = path.indexOf('#')
  return hash < 0 ? path : path.slice(0, hash)
}
