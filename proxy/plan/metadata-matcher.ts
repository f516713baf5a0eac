import type { JsonValue } from '@bufbuild/protobuf'

/** A compiled test of a metadata value; undefined is one that is not there. */
export interface ValueMatcher {
  readonly describe: string
  test(value: JsonValue | undefined): boolean
}

/** A compiled metadata match (envoy.type.matcher.v3.MetadataMatcher). */
export interface MetadataMatcher {
  /** Under which name it is kept, and where there. */
  readonly filter: string
  readonly path: readonly string[]
  readonly value: ValueMatcher
  readonly invert: boolean
}

export function describeMetadataMatcher({ filter, path, value, invert }: MetadataMatcher): string {
  return `metadata ${filter} ${path.join('.')} ${invert ? 'not ' : ''}${value.describe}`
}
