import { parseDurationMs } from '../../../crds/duration.ts'
import type { ConsistentHashLB, LoadBalancerSettings } from '../../../crds/kinds/destination-rule.ts'
import {
  LOAD_BALANCER_ANNOTATION,
  LOAD_BALANCER_DECAY_ANNOTATION,
  PEAK_EWMA,
} from '../../../crds/load-balancer-annotations.ts'
import { isHeaderName } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'

/** Envoy's bounds. */
const MAX_TABLE = 5_000_011
const MAX_RING = 8 * 1024 * 1024

const WARMING = new Set([undefined, 'UNSPECIFIED', 'LEAST_REQUEST', 'LEAST_CONN', 'ROUND_ROBIN'])

export function checkLoadBalancer(settings: LoadBalancerSettings | undefined, path: FieldPath, report: Report): void {
  if (settings === undefined) return
  const { simple, consistentHash, warmup, warmupDurationSecs } = settings
  if (simple !== undefined && consistentHash !== undefined) {
    report.error([...path, 'consistentHash'], 'cannot stand beside simple')
  }
  if (simple === 'LEAST_CONN') {
    report.add('IST0002', [...path, 'simple'], 'LEAST_CONN is deprecated: use LEAST_REQUEST')
  }
  if (settings.localityLbSetting !== undefined && settings.zoneAwareLbSetting !== undefined) {
    report.error([...path, 'zoneAwareLbSetting'], 'cannot stand beside localityLbSetting')
  }
  if (consistentHash !== undefined) checkConsistentHash(consistentHash, [...path, 'consistentHash'], report)
  if (warmup === undefined && warmupDurationSecs === undefined) return
  const at = [...path, warmup === undefined ? 'warmupDurationSecs' : 'warmup']
  if (warmup !== undefined && warmupDurationSecs !== undefined) {
    report.warning([...path, 'warmupDurationSecs'], 'is passed over: warmup is given')
  }
  if (consistentHash !== undefined || !WARMING.has(simple)) {
    report.warning(at, 'is for ROUND_ROBIN and LEAST_REQUEST only, and does nothing here')
  }
}

const KEYS = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const

function checkConsistentHash(settings: ConsistentHashLB, path: FieldPath, report: Report): void {
  const { httpHeaderName, httpCookie, httpQueryParameterName, ringHash, maglev, minimumRingSize } = settings
  const given = KEYS.filter((key) => settings[key] !== undefined)
  if (given.length === 0) {
    report.warning(path, `says of nothing to hash it, so that any endpoint is chosen; give one of ${KEYS.join(', ')}`)
  }
  for (const key of given.slice(1)) report.error([...path, key], `cannot stand beside ${given[0]}`)
  if (httpHeaderName !== undefined && !isHeaderName(httpHeaderName) && !httpHeaderName.startsWith(':')) {
    report.error([...path, 'httpHeaderName'], `"${httpHeaderName}" is not the name of a header`)
  }
  if (httpQueryParameterName === '') report.error([...path, 'httpQueryParameterName'], 'must not be empty')
  if (httpCookie !== undefined) checkCookie(httpCookie, [...path, 'httpCookie'], report)
  if (ringHash !== undefined && maglev !== undefined) report.error([...path, 'maglev'], 'cannot stand beside ringHash')
  if ((minimumRingSize ?? 0) !== 0 && (ringHash !== undefined || maglev !== undefined)) {
    report.error([...path, 'minimumRingSize'], `cannot stand beside ${maglev === undefined ? 'ringHash' : 'maglev'}`)
  }
  const atMost = (size: number | undefined, at: FieldPath) => {
    if ((size ?? 0) > MAX_RING) report.error(at, `at most ${MAX_RING}`)
  }
  atMost(minimumRingSize, [...path, 'minimumRingSize'])
  atMost(ringHash?.minimumRingSize, [...path, 'ringHash', 'minimumRingSize'])
  const size = maglev?.tableSize ?? 0
  if (size !== 0 && (size > MAX_TABLE || !isPrime(size))) {
    report.error([...path, 'maglev', 'tableSize'], `${size} is no prime up to ${MAX_TABLE}`)
  }
}

function checkCookie(
  { name, path: of, attributes }: NonNullable<ConsistentHashLB['httpCookie']>,
  path: FieldPath,
  report: Report,
): void {
  if (!isHeaderName(name)) report.error([...path, 'name'], `"${name}" is not the name of a cookie`)
  if (of?.includes(';') === true) report.error([...path, 'path'], 'must not hold a semicolon')
  attributes?.forEach((attribute, i) => {
    const at = [...path, 'attributes', i]
    if (!isHeaderName(attribute.name ?? '')) report.error([...at, 'name'], 'must be the name of an attribute')
    if (attribute.value?.includes(';') === true) report.error([...at, 'value'], 'must not hold a semicolon')
  })
}

/** What a misspelt annotation would have meant is not guessed: the rule's own algorithm stays. */
export function checkAnnotations(metadata: unknown, report: Report): void {
  const annotations = ((metadata ?? {}) as { annotations?: Record<string, unknown> | null }).annotations ?? {}
  const path = (name: string) => ['metadata', 'annotations', name]
  const algorithm = annotations[LOAD_BALANCER_ANNOTATION]
  if (algorithm !== undefined && algorithm !== PEAK_EWMA) {
    report.error(path(LOAD_BALANCER_ANNOTATION), `must be ${PEAK_EWMA}, found ${JSON.stringify(algorithm)}`)
  }
  const decay = annotations[LOAD_BALANCER_DECAY_ANNOTATION]
  if (decay === undefined) return
  if (algorithm === undefined) report.warning(path(LOAD_BALANCER_DECAY_ANNOTATION), `needs ${LOAD_BALANCER_ANNOTATION}`)
  if (typeof decay !== 'string' || !((parseDurationMs(decay) ?? 0) > 0)) {
    report.error(path(LOAD_BALANCER_DECAY_ANNOTATION), `must be a duration above 0, found ${JSON.stringify(decay)}`)
  }
}

function isPrime(n: number): boolean {
  if (n < 2) return false
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false
  return true
}
