/** How bad a finding is. `error` refuses the object; the others let it through. */
export type Severity = 'error' | 'warning' | 'info'

export interface ObjectRef {
  kind: string
  namespace: string
  name: string
}

/**
 * One thing that is wrong, or worth knowing, about the configuration. `analyze --json` prints an array of these.
 * `code` is Istio's IST number where the meaning is the same, else our own LTN number. Codes are never reused.
 */
export interface Finding {
  code: string
  severity: Severity
  object: ObjectRef
  file: string
  /** Counts from 1; 0 when the place is not known. */
  line: number
  message: string
}
