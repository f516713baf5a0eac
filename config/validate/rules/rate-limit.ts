import { parseDurationMs } from '../../../crds/duration.ts'
import type { RateLimitKey, RateLimitMatch, RateLimitSpec, RequestLimit } from '../../../crds/kinds/rate-limit.ts'
import { isHeaderName } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkLabels, checkRegex } from './common.ts'

/** What Envoy takes. */
const MIN_INTERVAL_MS = 50
/** Each that may be absent doubles what proxies compare with. */
const MAX_KEYS = 4
const METHOD = /^[A-Z]+$/

export function checkRateLimit(spec: RateLimitSpec, report: Report): void {
  checkLabels(spec.selector?.matchLabels, ['spec', 'selector', 'matchLabels'], report)
  spec.limits.forEach((limit, i) => {
    checkLimit(limit, ['spec', 'limits', i], report)
  })
  const seen = new Map<string, number>()
  spec.limits.forEach(({ requests, per, burst, ...which }, i) => {
    const key = JSON.stringify(which)
    const first = seen.get(key)
    if (first !== undefined && spec.limits[first]?.per === per) {
      report.warning(['spec', 'limits', i], `counts the same calls as limits[${first}] over the same time`)
    }
    seen.set(key, first ?? i)
  })
}

function checkLimit(limit: RequestLimit, path: FieldPath, report: Report): void {
  const { per, requests, burst = requests, by = [], match } = limit
  const perMs = parseDurationMs(per) ?? 0
  if (perMs < MIN_INTERVAL_MS) report.error([...path, 'per'], `at least ${MIN_INTERVAL_MS}ms`)
  if (burst < requests && perMs <= 1000) {
    report.warning(
      [...path, 'burst'],
      `never more than ${burst} at once, so that requests that come together are refused`,
    )
  }
  if (by.length > MAX_KEYS) report.error([...path, 'by'], `at most ${MAX_KEYS}`)
  by.forEach((key, i) => {
    checkKey(key, [...path, 'by', i], report)
  })
  if (match !== undefined) checkMatch(match, [...path, 'match'], report)
}

function checkKey(key: RateLimitKey, path: FieldPath, report: Report): void {
  const given = Object.entries(key).filter(([, value]) => value !== undefined && value !== false)
  if (given.length !== 1) report.error(path, 'must be one of header, queryParameter, sourceIP, peer and path')
  if (key.header !== undefined && !isHeaderName(key.header)) {
    report.error([...path, 'header'], `"${key.header}" is no name of a header`)
  }
  if (key.queryParameter === '') report.error([...path, 'queryParameter'], 'needs a name')
}

function checkMatch({ paths = [], methods = [], headers = {} }: RateLimitMatch, path: FieldPath, report: Report): void {
  paths.forEach((text, i) => {
    const at = [...path, 'paths', i]
    if (!text.startsWith('/')) report.error(at, `must begin with a slash, found "${text}"`)
    else if (text.slice(0, -1).includes('*')) report.error(at, 'a * may only be at the end')
    else if (/[?#]/.test(text)) report.error(at, 'paths are compared without a query')
  })
  methods.forEach((method, i) => {
    if (!METHOD.test(method)) report.error([...path, 'methods', i], `"${method}" is no method; methods are in capitals`)
  })
  for (const [name, { regex }] of Object.entries(headers)) {
    if (!isHeaderName(name)) report.error([...path, 'headers', name], `"${name}" is no name of a header`)
    if (regex !== undefined && regex !== '*') checkRegex(regex, [...path, 'headers', name, 'regex'], report)
  }
}
