import type { SpiffeId } from '../../api/spiffe.ts'
import type { TypeUrl } from '../../api/type-urls.ts'

/** One resource, encoded once and shared by every stream that may see it. */
export interface EncodedResource {
  readonly name: string
  /** Changes exactly when `bytes` change (a hash of them). */
  readonly version: string
  /** The encoded message itself, without its Any wrapper. */
  readonly bytes: Uint8Array
}

/**
 * What one set of alike proxies may see of one generation. Proxies whose configuration is the same share one view,
 * and views of successive generations share every EncodedResource that did not change (same object identity).
 */
export interface ResourceView {
  /** Number of the generation that this view belongs to. */
  readonly generation: number
  /**
   * Every resource of the type, in a stable order: what a wildcard subscription gets, and what two views are compared
   * by. The same array while nothing of the type changed.
   */
  list(type: TypeUrl): readonly EncodedResource[]
  /** One resource by name, or undefined when this view has none of that name. */
  get(type: TypeUrl, name: string): EncodedResource | undefined
  /** Why get() has nothing of that name, where somebody should be told. */
  withheld?(type: TypeUrl, name: string): string | undefined
}

/** The fields of an xDS node that decide what its proxy may see. */
export interface NodeIdentity {
  id: string
  cluster: string
  metadata: Record<string, unknown>
  /** `region/zone/subzone`, where the node says so. */
  locality?: string | undefined
  clientFeatures?: readonly string[]
  /** Who its proxy has proven to be; what the other fields say agrees with it. undefined where nothing was asked for. */
  proven?: SpiffeId | undefined
}

/** Where the xDS server takes its views from. */
export interface ViewSource {
  /** Throws a MeshError with source 'config' when the node's id cannot be understood. */
  viewFor(node: NodeIdentity): ResourceView
  /** When the first change came that the published generation has and the one before had not, on the monotonic clock. */
  readonly changedAtMs?: number
  /** Called after each new generation is published. Returns the function that stops the calls. */
  onGeneration(listener: (generation: number) => void): () => void
}
