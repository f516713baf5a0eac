import { parseDurationMs } from '../../crds/duration.ts'
import { canonicalIp, unmapIpv4 } from '../../lib/ip.ts'
import type { AttributeTypes, StringMap, Value, ValueType } from './value.ts'

/** `source.labels[app]` -> its name and key; `source.ip` has no key. */
export function splitReference(text: string): { name: string; key: string | undefined } {
  const open = text.indexOf('[')
  if (open <= 0 || !text.endsWith(']')) return { name: text, key: undefined }
  return { name: text.slice(0, open), key: text.slice(open + 1, -1) }
}

/** A value as text, as proxies are told to send it. undefined for what is no value of that type. */
export function parseValue(type: ValueType, text: string): Value | undefined {
  switch (type) {
    case 'INT64': {
      const number = Number(text)
      return text !== '' && Number.isSafeInteger(number) ? number : undefined
    }
    case 'DOUBLE': {
      const number = Number(text)
      return text !== '' && Number.isFinite(number) ? number : undefined
    }
    case 'BOOL':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'IP_ADDRESS':
      return canonicalIp(unmapIpv4(text)) || undefined
    case 'DURATION':
      return parseDurationMs(text)
    case 'TIMESTAMP': {
      const ms = Date.parse(text)
      return Number.isNaN(ms) ? undefined : ms
    }
    case 'STRING_MAP':
      return undefined
    default:
      return text
  }
}

/**
 * Attributes that a proxy's configuration tells by their names (`destination.service.host`, `source.labels[app]`): the ones of these
 * entries that `types` knows. Entries of a map are gathered.
 */
export function toldAttributes(
  entries: Iterable<readonly [string, string]>,
  types: AttributeTypes,
  into: Map<string, Value> = new Map(),
): Map<string, Value> {
  for (const [text, written] of entries) {
    const { name, key } = splitReference(text)
    const type = types.get(name)
    if (type === undefined) continue
    if (key === undefined) {
      const value = parseValue(type, written)
      if (value !== undefined) into.set(name, value)
    } else if (type === 'STRING_MAP') {
      const known = into.get(name) as StringMap | undefined
      into.set(name, { ...known, [key]: written })
    }
  }
  return into
}
