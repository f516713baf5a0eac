import type {
  ClientTLSSettings,
  DestinationRuleBody,
  OutlierDetection,
  PortTrafficPolicy,
  TrafficPolicy,
} from '../../../crds/kinds/destination-rule.ts'
import { isDnsLabel } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkExportTo, checkHost, checkLabels, checkPort, checkSecretName, checkUnique } from './common.ts'
import { checkAnnotations, checkLoadBalancer } from './load-balancer.ts'
import { checkLocalitySetting } from './locality-setting.ts'

export function checkDestinationRule({ spec, metadata }: DestinationRuleBody, report: Report): void {
  checkAnnotations(metadata, report)
  checkHost(spec.host, ['spec', 'host'], report)
  checkExportTo(spec.exportTo, ['spec', 'exportTo'], report)
  checkLabels(spec.workloadSelector?.matchLabels, ['spec', 'workloadSelector', 'matchLabels'], report)
  checkTrafficPolicy(spec.trafficPolicy, ['spec', 'trafficPolicy'], report)
  const subsets = spec.subsets ?? []
  const names = subsets.map((subset) => subset.name)
  checkUnique(names, (index) => ['spec', 'subsets', index, 'name'], report)
  subsets.forEach((subset, index) => {
    const path = ['spec', 'subsets', index]
    if (!isDnsLabel(subset.name)) report.error([...path, 'name'], `"${subset.name}" is no DNS label`)
    checkLabels(subset.labels, [...path, 'labels'], report)
    if (Object.keys(subset.labels ?? {}).length === 0 && spec.host !== '*' && !spec.host.startsWith('*.')) {
      report.warning([...path, 'labels'], 'none are given, so the subset holds every endpoint')
    }
    checkTrafficPolicy(subset.trafficPolicy, [...path, 'trafficPolicy'], report, spec.trafficPolicy)
  })
}

/** `base` is what its blocks replace. */
function checkTrafficPolicy(
  policy: TrafficPolicy | undefined,
  path: FieldPath,
  report: Report,
  base?: TrafficPolicy,
): void {
  if (policy === undefined) return
  if (Object.keys(policy).length === 0) report.error(path, 'needs at least one setting')
  if (policy.tunnel !== undefined && policy.proxyProtocol !== undefined) {
    report.error([...path, 'proxyProtocol'], 'cannot stand beside tunnel')
  }
  checkBlocks(policy, path, report, base)
  const ports = policy.portLevelSettings ?? []
  ports.forEach((port, index) => {
    const at = [...path, 'portLevelSettings', index]
    if (port.port?.number === undefined) report.error([...at, 'port', 'number'], 'must be given')
    checkPort(port.port?.number, [...at, 'port', 'number'], report)
    checkBlocks(port, at, report)
  })
  const numbers = ports.map((port) => port.port?.number)
  numbers.forEach((number, index) => {
    if (number !== undefined && numbers.indexOf(number) !== index) {
      report.warning(
        [...path, 'portLevelSettings', index, 'port', 'number'],
        `${number} is given twice; the first counts`,
      )
    }
  })
}

function checkBlocks(policy: PortTrafficPolicy, path: FieldPath, report: Report, base?: TrafficPolicy): void {
  checkLoadBalancer(policy.loadBalancer, [...path, 'loadBalancer'], report)
  const at = [...path, 'loadBalancer', 'localityLbSetting']
  const hasOutlierDetection = (policy.outlierDetection ?? base?.outlierDetection) !== undefined
  checkLocalitySetting(policy.loadBalancer?.localityLbSetting, at, hasOutlierDetection, report)
  const pool = policy.connectionPool
  if (pool !== undefined && pool.tcp === undefined && pool.http === undefined) {
    report.error([...path, 'connectionPool'], 'needs tcp or http')
  }
  checkOutlierDetection(policy.outlierDetection, [...path, 'outlierDetection'], report)
  checkTls(policy.tls, [...path, 'tls'], report)
}

const CERTIFICATE_FIELDS = ['clientCertificate', 'privateKey', 'caCertificates'] as const

function checkTls(tls: ClientTLSSettings | undefined, path: FieldPath, report: Report): void {
  if (tls === undefined) return
  const isNamed = (tls.credentialName ?? '') !== ''
  if (isNamed) checkSecretName(tls.credentialName as string, [...path, 'credentialName'], report)
  if (isNamed && tls.mode === 'ISTIO_MUTUAL') {
    report.error([...path, 'credentialName'], "must be empty: ISTIO_MUTUAL takes the mesh's own")
  }
  for (const field of CERTIFICATE_FIELDS) {
    if (!tls[field]) continue
    if (isNamed) report.error([...path, field], 'cannot stand beside credentialName')
    if (tls.mode === 'ISTIO_MUTUAL') report.error([...path, field], "must be empty: ISTIO_MUTUAL takes the mesh's own")
  }
  if (tls.mode === 'MUTUAL' && !isNamed) {
    for (const field of ['clientCertificate', 'privateKey'] as const) {
      if (!tls[field]) report.error([...path, field], 'must be given: MUTUAL shows a certificate')
    }
  }
}

function checkOutlierDetection(outlier: OutlierDetection | undefined, path: FieldPath, report: Report): void {
  if (outlier === undefined) return
  const { consecutiveLocalOriginFailures = 0, splitExternalLocalOriginErrors = false } = outlier
  if (consecutiveLocalOriginFailures > 0 && !splitExternalLocalOriginErrors) {
    report.error([...path, 'consecutiveLocalOriginFailures'], 'needs splitExternalLocalOriginErrors: true')
  }
}
