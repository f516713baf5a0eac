import { TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import type { EncodedResource, ResourceView } from './view.ts'

/** Types that a client may subscribe to as a whole by naming nothing (listeners and clusters, by Envoy's custom). */
export function hasLegacyWildcard(type: TypeUrl): boolean {
  return type === TYPE_URL.listener || type === TYPE_URL.cluster || type === TYPE_URL.virtualHost
}

const NO_BYTES = Buffer.alloc(0)

/** What one stream wants, was sent and has answered, for one type. */
export class Subscription {
  readonly type: TypeUrl
  isWildcard = false
  /** Whether any name was ever given: from then on an empty list asks for nothing. */
  hasNamed = false
  names: ReadonlySet<string> = new Set()
  /** State of the world: the names of the last request, as they were encoded. */
  nameBytes: Buffer = NO_BYTES
  /** Version of each resource that the client holds, as far as we know; '' for names known to be missing. */
  readonly sent = new Map<string, string>()
  /** Names that must be answered whether or not they changed. */
  readonly forced = new Set<string>()
  /** Clusters gone from the view that are held back until routes no longer name them. */
  readonly lingering = new Map<string, EncodedResource>()
  /** Why names that are asked for are not given, where that was said. */
  readonly withheld = new Map<string, string>()
  nonce = ''
  version = ''
  isAwaitingAck = false
  /** Answer even when nothing changed: a first request. */
  mustAnswer = false
  sentAtMs = 0
  ackedAtMs = 0
  /** Text of the last refusal; '' after an acknowledgement. */
  lastError = ''
  /** The list that was sent last, to see at once that nothing changed. */
  lastList: readonly EncodedResource[] | undefined

  /** The view that the client was last brought up to date with, so that only what changed since is looked at. */
  syncedView: ResourceView | undefined

  constructor(type: TypeUrl) {
    this.type = type
  }
}
