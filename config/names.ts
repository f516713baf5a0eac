import { isIP } from 'node:net'

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const HOST_LABEL = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/
const LABEL_NAME = /^[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** RFC 1123 label: names of namespaces, subsets and ports. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && LABEL.test(text)
}

/** RFC 1123 subdomain: names of Kubernetes objects. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label))
}

/** A host name, short or full, upper case allowed, without wildcard. All-numeric top levels are no names. */
export function isHostName(text: string): boolean {
  if (text.length === 0 || text.length > 255) return false
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.')
  if (labels.length > 1 && /^\d+$/.test(labels.at(-1) ?? '')) return false
  return labels.every((label) => label.length <= 63 && HOST_LABEL.test(label))
}

/** A host name whose leftmost label may be `*`, or `*` alone. */
export function isHostPattern(text: string): boolean {
  if (text === '*') return true
  return text.startsWith('*.') ? isHostName(text.slice(2)) : isHostName(text)
}

export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0
}

/** An IP address with or without a prefix length. */
export function isSubnet(text: string): boolean {
  const slash = text.indexOf('/')
  if (slash < 0) return isIpAddress(text)
  const family = isIP(text.slice(0, slash))
  const length = text.slice(slash + 1)
  return family !== 0 && /^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128)
}

/** Key of a Kubernetes label or annotation: an optional DNS prefix, a slash, and a name of at most 63 characters. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/')
  const name = slash < 0 ? text : text.slice(slash + 1)
  if (slash >= 0 && !isDnsSubdomain(text.slice(0, slash).toLowerCase())) return false
  return name.length <= 63 && LABEL_NAME.test(name)
}

export function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= 63 && LABEL_NAME.test(text))
}

/** A header field name (RFC 9110 section 5.6.2). */
export function isHeaderName(text: string): boolean {
  return TOKEN.test(text)
}
