import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { MetadataMatcher } from '../plan/metadata-matcher.ts'
import type { Decision } from './decision.ts'

/** Envoy's dynamic metadata of one call: what filters have found out, by the name that each keeps it under. */
export type DynamicMetadata = Map<string, JsonObject>

/** Lays `values` over what is kept under `name` already. */
export function setMetadata(decision: Pick<Decision, 'metadata'>, name: string, values: JsonObject): void {
  decision.metadata ??= new Map()
  const before = decision.metadata.get(name)
  decision.metadata.set(name, before === undefined ? values : { ...before, ...values })
}

/** What is kept under `name` at the end of a path of keys (envoy.type.matcher.v3.MetadataMatcher); undefined for nothing. */
export function metadataAt(
  { metadata }: { readonly metadata: DynamicMetadata | undefined },
  name: string,
  path: readonly string[],
): JsonValue | undefined {
  let at: JsonValue | undefined = metadata?.get(name)
  for (const key of path) {
    if (at === null || typeof at !== 'object' || Array.isArray(at) || !Object.hasOwn(at, key)) return undefined
    at = at[key]
  }
  return at
}

export function metadataMatches(
  { filter, path, value, invert }: MetadataMatcher,
  decision: Pick<Decision, 'metadata'>,
): boolean {
  return value.test(metadataAt(decision, filter, path)) !== invert
}
