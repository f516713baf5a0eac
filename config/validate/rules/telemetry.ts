import type { CustomTag, MetricsOverride, TelemetrySpec } from '../../../crds/kinds/telemetry.ts'
import { isHeaderName } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkLabels } from './common.ts'

/** Of Prometheus. */
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const MAX_LITERAL_BYTES = 1024

export function checkTelemetry(spec: TelemetrySpec, report: Report): void {
  checkLabels(spec.selector?.matchLabels, ['spec', 'selector', 'matchLabels'], report)
  for (const [i, { providers = [], customTags = {} }] of (spec.tracing ?? []).entries()) {
    const path = ['spec', 'tracing', i]
    if (providers.length > 1) report.error([...path, 'providers'], 'calls are traced by one provider only')
    for (const [name, tag] of Object.entries(customTags)) checkTag(tag, [...path, 'customTags', name], report)
  }
  for (const [i, { overrides = [] }] of (spec.metrics ?? []).entries()) {
    for (const [at, override] of overrides.entries()) {
      checkOverride(override, ['spec', 'metrics', i, 'overrides', at], report)
    }
  }
  for (const [i, { filter }] of (spec.accessLogging ?? []).entries()) {
    if (filter !== undefined && !filter.expression) {
      report.error(['spec', 'accessLogging', i, 'filter', 'expression'], 'must not be empty')
    }
  }
}

function checkTag(tag: CustomTag, path: FieldPath, report: Report): void {
  const given = Object.keys(tag)
  if (given.length !== 1) report.error(path, 'must be one of literal, environment, header and formatter')
  if (tag.literal !== undefined && Buffer.byteLength(tag.literal.value) > MAX_LITERAL_BYTES) {
    report.error([...path, 'literal', 'value'], `at most ${MAX_LITERAL_BYTES} bytes`)
  }
  if (tag.header !== undefined && !isHeaderName(tag.header.name)) {
    report.error([...path, 'header', 'name'], `"${tag.header.name}" is no name of a header`)
  }
  if (tag.environment?.name === '') report.error([...path, 'environment', 'name'], 'must not be empty')
}

function checkOverride({ match, tagOverrides = {} }: MetricsOverride, path: FieldPath, report: Report): void {
  if (match?.metric !== undefined && match.customMetric !== undefined) {
    report.error([...path, 'match'], 'must be one of metric and customMetric')
  }
  if (match?.customMetric === '') report.error([...path, 'match', 'customMetric'], 'must not be empty')
  for (const [name, { operation = 'UPSERT', value }] of Object.entries(tagOverrides)) {
    const at = [...path, 'tagOverrides', name]
    if (!LABEL_NAME.test(name)) report.error(at, `"${name}" is no name of a label`)
    if (operation === 'UPSERT' && !value) report.error([...at, 'value'], 'is needed for UPSERT')
    if (operation === 'REMOVE' && value) report.error([...at, 'value'], 'must not be given with REMOVE')
  }
}
