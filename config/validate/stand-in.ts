import { isLabelKey, isLabelValue } from '../names.ts'
import { isPlainObject, type PlainObject } from '../parse/objects.ts'

/**
 * What stands for an object that is refused and was never known in a version that was not; undefined: nothing does.
 *
 * An AuthorizationPolicy closes something, and what it would leave open is not known. So an ALLOW policy allows nobody (others may),
 * and a DENY or CUSTOM policy denies everybody, to the workloads that it selects, or to all that it might select. Without that a
 * policy that was broken would open its workloads when the pilot starts anew.
 */
export function standInFor(kind: string, body: PlainObject): PlainObject | undefined {
  if (kind !== 'AuthorizationPolicy') return undefined
  const spec = isPlainObject(body.spec) ? body.spec : {}
  const { action, selector, targetRef, targetRefs } = spec
  // It was to change nothing, or to apply to nothing.
  if (action === 'AUDIT' || targetRef !== undefined || targetRefs !== undefined) return undefined
  const matchLabels = isPlainObject(selector) ? labelsOf(selector.matchLabels) : undefined
  const isAllow = action === undefined || action === null || action === 'ALLOW'
  const { apiVersion, kind: written, metadata } = body
  return Object.freeze({
    apiVersion,
    kind: written,
    metadata,
    spec: Object.freeze({
      ...(matchLabels && { selector: { matchLabels } }),
      ...(isAllow ? { action: 'ALLOW' } : { action: 'DENY', rules: [{}] }),
    }),
  })
}

/** undefined when they cannot be read, so that nobody knows which workloads were meant. */
function labelsOf(value: unknown): Record<string, string> | undefined {
  if (!isPlainObject(value)) return undefined
  const labels: Record<string, string> = {}
  for (const [key, label] of Object.entries(value)) {
    if (typeof label !== 'string' || !isLabelKey(key) || !isLabelValue(label)) return undefined
    labels[key] = label
  }
  return labels
}
