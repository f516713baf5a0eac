import type { TSchema } from '@sinclair/typebox'
import { type ExtAuthzGrpc, MeshConfig } from '../crds/mesh-config.ts'
import type { Finding } from './finding.ts'
import { isHostPattern } from './names.ts'
import type { FieldPath } from './object.ts'
import { composeDocument } from './parse/compose.ts'
import { type LineTree, lineAt } from './parse/lines.ts'
import { isPlainObject, type PlainObject } from './parse/objects.ts'
import { type Problem, Report } from './report.ts'
import { withoutNulls } from './validate/fields.ts'
import { checkLocalitySetting } from './validate/rules/locality-setting.ts'
import { checkSchema } from './validate/schema.ts'

/** A mesh's configuration as its file says it, and what is wrong with that. Without errors `config` can be used. */
export interface LoadedMeshConfig {
  readonly config: MeshConfig
  readonly findings: readonly Finding[]
}

const SCHEMA = { schema: MeshConfig }

/** Reads YAML with the field names of Istio's MeshConfig. What is not honoured is left out, and named. Never throws. */
export function loadMeshConfig(file: string, text: string): LoadedMeshConfig {
  const composed = composeDocument(text)
  if (!composed.ok) {
    const problems = composed.problems.map(({ code, line, message }) => findingOf(file, line, code, 'error', message))
    return { config: {}, findings: problems }
  }
  const report = new Report()
  const value = composed.value ?? {}
  if (!isPlainObject(value)) report.error([], 'must be a map')
  const known = isPlainObject(value) ? knownFields(MeshConfig, withoutNulls(MeshConfig, value), [], report) : {}
  if (!report.hasErrors) checkSchema(SCHEMA, known, report)
  if (!report.hasErrors) checkProviders(known as MeshConfig, report)
  if (!report.hasErrors) checkMixer(known as MeshConfig, report)
  if (!report.hasErrors)
    checkLocalitySetting((known as MeshConfig).localityLbSetting, ['localityLbSetting'], true, report)
  const findings = report.problems.map((problem) => placed(file, composed.lines, problem))
  return { config: report.hasErrors ? {} : (known as MeshConfig), findings }
}

/** The fields that the schema knows; the others are reported. */
function knownFields(schema: TSchema, value: unknown, path: FieldPath, report: Report): unknown {
  if (Array.isArray(value)) {
    return value.map((item, i) => knownFields((schema.items ?? {}) as TSchema, item, [...path, i], report))
  }
  const properties = schema.properties as Record<string, TSchema> | undefined
  if (!isPlainObject(value) || properties === undefined) return value
  const known: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(value as PlainObject)) {
    const at = [...path, key]
    const childSchema = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (childSchema === undefined) report.add('LTN0101', at, 'has no effect: it is not honoured')
    else known[key] = knownFields(childSchema, child, at, report)
  }
  return known
}

function checkProviders({ extensionProviders = [] }: MeshConfig, report: Report): void {
  const names = new Set<string>()
  extensionProviders.forEach(({ name, ...kinds }, i) => {
    const path = ['extensionProviders', i]
    if (name === '') report.error([...path, 'name'], 'must not be empty')
    if (names.has(name)) report.error([...path, 'name'], `"${name}" is given twice`)
    names.add(name)
    if (Object.keys(kinds).length > 1) report.error(path, 'must be of one kind')
    const { prometheus, envoyFileAccessLog, ...others } = kinds
    if (envoyFileAccessLog?.logFormat !== undefined && Object.keys(envoyFileAccessLog.logFormat).length !== 1) {
      report.error([...path, 'envoyFileAccessLog', 'logFormat'], 'must be one of text and labels')
    }
    for (const [kind, provider] of Object.entries(others)) {
      if (provider === undefined) continue
      const { service } = provider
      const host = service.slice(service.indexOf('/') + 1)
      if (!isHostPattern(host) || host.startsWith('*')) {
        report.error([...path, kind, 'service'], `"${service}" is neither host nor namespace/host`)
      }
      const { statusOnError, includeRequestBodyInCheck: body } = provider as ExtAuthzGrpc
      if (statusOnError !== undefined && !/^[1-5]\d\d$/.test(statusOnError)) {
        report.error([...path, kind, 'statusOnError'], `"${statusOnError}" is no HTTP status`)
      }
      if (body !== undefined && (body.maxRequestBytes ?? 0) === 0) {
        report.error([...path, kind, 'includeRequestBodyInCheck', 'maxRequestBytes'], 'must be at least 1')
      }
    }
  })
}

function checkMixer(config: MeshConfig, report: Report): void {
  for (const field of ['mixerCheckServer', 'mixerReportServer'] as const) {
    const server = config[field] ?? ''
    if (server === '') continue
    const colon = server.lastIndexOf(':')
    const host = server.slice(0, Math.max(colon, 0))
    const port = server.slice(colon + 1)
    const isPort = /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535
    if (!isHostPattern(host) || host.startsWith('*') || !isPort) {
      report.error([field], `"${server}" is not host:port`)
    }
  }
}

function placed(file: string, lines: LineTree, { code, severity, path, message }: Problem): Finding {
  return findingOf(file, lineAt(lines, path), code, severity, message)
}

function findingOf(
  file: string,
  line: number,
  code: Finding['code'],
  severity: Finding['severity'],
  message: string,
): Finding {
  return { code, severity, object: { kind: 'MeshConfig', namespace: '', name: '' }, file, line, message }
}
