import type { Origin } from '../api/origin.ts'
import type { ObjectRef } from './finding.ts'

export interface ObjectMeta {
  name: string
  /** `default` when the YAML gives none. */
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
  /** RFC 3339, or '' when the YAML gives none. */
  creationTimestamp: string
}

/** A path into an object: `['spec', 'http', 0, 'match', 1]`. */
export type FieldPath = readonly (string | number)[]

/**
 * One Kubernetes-style object as read from its source. `body` is the whole document as plain data (so
 * `body.spec` for most kinds, `body.subsets` for Endpoints). Immutable.
 */
export interface ConfigObject<Body = Record<string, unknown>> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly body: Body
  /** The object's own place: the line its document starts on. */
  readonly origin: Origin
  /** The line (from 1) of a field, or of its nearest parent that is present. */
  lineOf(path: FieldPath): number
  /**
   * Order of age: sources number objects as they were first seen. Istio's "oldest wins" compares creationTimestamp
   * when both have one, then this, then name and namespace.
   */
  readonly age: number
}

export function objectKey(ref: ObjectRef): string {
  return `${ref.kind}/${ref.namespace}/${ref.name}`
}

export function refOf(object: ConfigObject<unknown>): ObjectRef {
  return { kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name }
}

/** The Origin of one field of an object. */
export function originAt(object: ConfigObject<unknown>, path: FieldPath): Origin {
  return { ...object.origin, line: object.lineOf(path) }
}
