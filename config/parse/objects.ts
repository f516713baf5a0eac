import { isDnsLabel, isDnsSubdomain, isLabelKey, isLabelValue } from '../names.ts'
import type { ObjectMeta } from '../object.ts'
import { Report } from '../report.ts'
import { type LineTree, subtree } from './lines.ts'

export type PlainObject = Readonly<Record<string, unknown>>

/** One Kubernetes-style object of a document, its identity read and nothing else judged. */
export interface RawObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  body: PlainObject
  /** Lines count within the document. */
  lines: LineTree
  /** What is wrong with its metadata. */
  report: Report
}

export const DEFAULT_NAMESPACE = 'default'

export function isPlainObject(value: unknown): value is PlainObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** The objects of a document: itself, or the items of a `kind: List`. Undefined stands for what is no object. */
export function objectsOf(value: unknown, lines: LineTree, depth = 0): (RawObject | { line: number })[] {
  if (value === null || value === undefined) return []
  const line = typeof lines === 'number' ? lines : lines.line
  if (!isPlainObject(value) || typeof value.apiVersion !== 'string' || typeof value.kind !== 'string') {
    return [{ line }]
  }
  const { apiVersion, kind } = value
  if (kind.endsWith('List') && Array.isArray(value.items) && depth === 0) {
    return value.items.flatMap((item, index) => objectsOf(item, subtree(lines, ['items', index]) ?? line, depth + 1))
  }
  const report = new Report()
  const metadata = readMetadata(value.metadata, report, kind === 'Secret')
  return [{ apiVersion, kind, metadata, body: value, lines, report }]
}

/** Of what `isSecret` no value is shown: kubectl writes the whole object into an annotation. */
function readMetadata(value: unknown, report: Report, isSecret: boolean): ObjectMeta {
  const metadata = isPlainObject(value) ? value : {}
  const { name, namespace, creationTimestamp } = metadata
  if (typeof name !== 'string' || name === '') {
    report.error(['metadata', 'name'], 'every object needs a name')
  } else if (!isDnsSubdomain(name)) {
    report.error(['metadata', 'name'], `"${name}" is no DNS name of lower-case letters, digits, "-" and "."`)
  }
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string') {
    report.error(['metadata', 'namespace'], 'must be a string')
  } else if (typeof namespace === 'string' && namespace !== '' && !isDnsLabel(namespace)) {
    report.error(['metadata', 'namespace'], `"${namespace}" is no DNS label of lower-case letters, digits and "-"`)
  }
  return Object.freeze({
    name: typeof name === 'string' ? name : '',
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : DEFAULT_NAMESPACE,
    labels: readStrings(metadata.labels, 'labels', isLabelValue, report, isSecret),
    annotations: readStrings(metadata.annotations, 'annotations', () => true, report, isSecret),
    creationTimestamp: typeof creationTimestamp === 'string' ? creationTimestamp : '',
  })
}

function readStrings(
  value: unknown,
  field: 'labels' | 'annotations',
  isValue: (text: string) => boolean,
  report: Report,
  isSecret: boolean,
): Record<string, string> {
  if (value === undefined || value === null) return Object.freeze({})
  if (!isPlainObject(value)) {
    report.error(['metadata', field], 'must be a map of strings')
    return Object.freeze({})
  }
  const kept: [string, string][] = []
  for (const [key, given] of Object.entries(value)) {
    // Kubernetes takes an empty value for the empty string.
    const text = given ?? ''
    const path = ['metadata', field, key]
    if (typeof text !== 'string') {
      report.error(path, `must be a string${isSecret ? '' : `, found ${JSON.stringify(text)}`}; quote it`)
    } else if (!isLabelKey(key) || !isValue(text)) {
      report.error(path, `"${key}${isSecret ? '' : `: ${text}`}" is not allowed by Kubernetes`)
    } else kept.push([key, text])
  }
  return Object.freeze(Object.fromEntries(kept))
}
