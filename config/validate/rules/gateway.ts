import type { GatewaySpec, Server } from '../../../crds/kinds/gateway.ts'
import { isDnsLabel } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkBind, checkHost, checkLabels, checkPort, checkProtocol, checkUnique, wireProtocol } from './common.ts'

export function checkGateway(spec: GatewaySpec, report: Report): void {
  const servers = spec.servers ?? []
  if (servers.length === 0) report.error(['spec', 'servers'], 'needs at least one server')
  checkLabels(spec.selector, ['spec', 'selector'], report)
  servers.forEach((server, index) => {
    checkServer(server, ['spec', 'servers', index], report)
  })
  const portNames = servers.map((server) => server.port.name)
  checkUnique(portNames, (index) => ['spec', 'servers', index, 'port', 'name'], report)
  const serverNames = servers.map((server) => (server.name === '' ? undefined : server.name))
  checkUnique(serverNames, (index) => ['spec', 'servers', index, 'name'], report)
}

function checkServer(server: Server, path: FieldPath, report: Report): void {
  const { number, name, protocol } = server.port
  checkPort(number, [...path, 'port', 'number'], report)
  checkProtocol(protocol, [...path, 'port', 'protocol'], report)
  if (protocol === '') report.error([...path, 'port', 'protocol'], 'must be given')
  if (name === '') report.error([...path, 'port', 'name'], 'must be given')
  checkBind(server.bind, [...path, 'bind'], report)
  server.hosts.forEach((host, index) => {
    checkServerHost(host, [...path, 'hosts', index], report)
  })
  checkServerTls(server, path, report)
}

/** `host`, or `namespace/host` where the namespace may be `*` or `.`. */
function checkServerHost(text: string, path: FieldPath, report: Report): void {
  const slash = text.indexOf('/')
  if (slash >= 0) {
    const namespace = text.slice(0, slash)
    if (namespace !== '*' && namespace !== '.' && !isDnsLabel(namespace)) {
      report.error(path, `"${namespace}" is no namespace, "." or "*"`)
    }
  }
  checkHost(text.slice(slash + 1), path, report)
}

function checkServerTls(server: Server, path: FieldPath, report: Report): void {
  const { tls, port } = server
  const wire = wireProtocol(port.protocol)
  if (wire === 'tls' && tls === undefined) report.error([...path, 'tls'], `must be given for protocol ${port.protocol}`)
  if (tls === undefined || wire === undefined || wire === 'tls') return
  const onlyRedirect = Object.keys(tls).every((field) => field === 'httpsRedirect')
  if (wire !== 'http') report.error([...path, 'tls'], `is not allowed for protocol ${port.protocol}`)
  else if (!onlyRedirect) report.error([...path, 'tls'], `only httpsRedirect is allowed for protocol ${port.protocol}`)
}
