import type { IstioEgressListener, IstioIngressListener, SidecarSpec } from '../../../crds/kinds/sidecar.ts'
import { isDnsLabel } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkBind, checkHost, checkPort, checkProtocol, checkUnique, isUnixAddress } from './common.ts'
import { checkWorkloadSelector } from './workload-entry.ts'

export function checkSidecar(spec: SidecarSpec, report: Report): void {
  const { ingress = [], egress = [] } = spec
  const empty = ingress.length === 0 && egress.length === 0
  if (empty && spec.outboundTrafficPolicy === undefined && spec.inboundConnectionPool === undefined) {
    report.error(['spec'], 'needs ingress, egress or outboundTrafficPolicy')
  }
  checkWorkloadSelector(spec.workloadSelector, ['spec', 'workloadSelector'], report)
  ingress.forEach((listener, index) => {
    checkIngress(listener, ['spec', 'ingress', index], report)
  })
  const ingressPorts = ingress.map((listener) => listener.port.number)
  checkUnique(ingressPorts, (index) => ['spec', 'ingress', index, 'port', 'number'], report)
  egress.forEach((listener, index) => {
    checkEgress(listener, ['spec', 'egress', index], index === egress.length - 1, report)
  })
  const places = egress.map((listener) =>
    listener.port === undefined ? undefined : `${listener.bind ?? ''} port ${listener.port.number}`.trim(),
  )
  checkUnique(places, (index) => ['spec', 'egress', index, 'port', 'number'], report)
}

/** Where the application listens: a loopback address, the workload's own address (0.0.0.0, [::]) or a Unix socket. */
const DEFAULT_ENDPOINT = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):(\d{1,5})$/

function checkIngress(listener: IstioIngressListener, path: FieldPath, report: Report): void {
  checkPort(listener.port.number, [...path, 'port', 'number'], report)
  checkProtocol(listener.port.protocol, [...path, 'port', 'protocol'], report)
  checkBind(listener.bind, [...path, 'bind'], report)
  const endpoint = listener.defaultEndpoint ?? ''
  if (endpoint === '' || isUnixAddress(endpoint)) return
  const port = DEFAULT_ENDPOINT.exec(endpoint)?.[1]
  const at = [...path, 'defaultEndpoint']
  if (port === undefined) {
    report.error(at, `must be 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix://PATH, found "${endpoint}"`)
  } else checkPort(Number(port), at, report)
}

function checkEgress(listener: IstioEgressListener, path: FieldPath, isLast: boolean, report: Report): void {
  checkBind(listener.bind, [...path, 'bind'], report)
  if (listener.port === undefined) {
    if (!isLast) report.error(path, 'a listener without port must be the last of the list')
    if ((listener.bind ?? '') !== '') report.error([...path, 'bind'], 'needs a port')
  } else {
    const unix = isUnixAddress(listener.bind ?? '')
    if (!unix) checkPort(listener.port.number, [...path, 'port', 'number'], report)
    else if (listener.captureMode !== undefined && listener.captureMode !== 'NONE') {
      report.error([...path, 'captureMode'], 'must be NONE for a Unix socket')
    }
    checkProtocol(listener.port.protocol, [...path, 'port', 'protocol'], report)
  }
  listener.hosts.forEach((host, index) => {
    checkEgressHost(host, [...path, 'hosts', index], report)
  })
}

/** `namespace/host`; the namespace may also be `*`, `.` or, for no host at all, `~`. */
function checkEgressHost(text: string, path: FieldPath, report: Report): void {
  const slash = text.indexOf('/')
  if (slash < 0) {
    report.error(path, `must be namespace/host, found "${text}"; "*/${text}" means the host in any namespace`)
    return
  }
  const namespace = text.slice(0, slash)
  const host = text.slice(slash + 1)
  if (namespace.startsWith('~') && namespace !== '~') {
    report.add('LTN0101', path, 'has no effect: taking hosts out of the imported ones is not honoured yet')
    return
  }
  if (!['*', '.', '~'].includes(namespace) && !isDnsLabel(namespace)) {
    report.error(path, `"${namespace}" is no namespace, ".", "*" or "~"`)
  }
  if (namespace === '~' && host !== '*') report.error(path, 'must be ~/*, which imports nothing')
  checkHost(host, path, report)
}
