import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { formatOrigin, ORIGIN_METADATA_KEY, originFromStruct } from '../../api/origin.ts'

/** A decoded resource for people: each origin in one line, packed messages by their short type. */
export function readable(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(readable)
  if (value === null || typeof value !== 'object') return value
  const out: JsonObject = {}
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    if (key === '@type') out[key] = String(inner).split('.').at(-1) ?? ''
    else if (key === 'metadata' && isResourceMetadata(inner)) Object.assign(out, readableMetadata(inner))
    else out[key] = readable(inner)
  }
  return out
}

/** Rules have a field of that name too, which says what is asked of a call. */
function isResourceMetadata(value: JsonValue): boolean {
  return value !== null && typeof value === 'object' && 'filter_metadata' in value
}

function readableMetadata(metadata: JsonValue): JsonObject {
  const filters = { ...((metadata as JsonObject).filter_metadata as JsonObject) }
  const origin = originFromStruct(filters[ORIGIN_METADATA_KEY])
  delete filters[ORIGIN_METADATA_KEY]
  return {
    ...(origin && { origin: formatOrigin(origin) }),
    ...(Object.keys(filters).length > 0 && { metadata: filters }),
  }
}
