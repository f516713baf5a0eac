import { type GatewaySpec, isCipherSuite, type Server, type ServerTLSSettings } from '../../../crds/kinds/gateway.ts'
import { ROOTS_SUFFIX } from '../../credential/uses.ts'
import { isDnsLabel } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import {
  checkBind,
  checkHost,
  checkLabels,
  checkPort,
  checkProtocol,
  checkSecretName,
  checkUnique,
  wireProtocol,
} from './common.ts'

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
  if (wire === 'tls' && tls !== undefined) checkTerminatedTls(tls, [...path, 'tls'], report)
  if (wire === 'tls' && tls === undefined) report.error([...path, 'tls'], `must be given for protocol ${port.protocol}`)
  if (tls === undefined || wire === undefined || wire === 'tls') return
  const onlyRedirect = Object.keys(tls).every((field) => field === 'httpsRedirect')
  if (wire !== 'http') report.error([...path, 'tls'], `is not allowed for protocol ${port.protocol}`)
  else if (!onlyRedirect) report.error([...path, 'tls'], `only httpsRedirect is allowed for protocol ${port.protocol}`)
}

function checkTerminatedTls(tls: ServerTLSSettings, path: FieldPath, report: Report): void {
  const { mode, caCertificates, cipherSuites = [], serverCertificate, privateKey, tlsCertificates = [] } = tls
  cipherSuites.forEach((name, index) => {
    if (!isCipherSuite(name)) report.warning([...path, 'cipherSuites', index], `${name} is not known, and left out`)
  })
  if (mode === 'ISTIO_MUTUAL') checkMeshTls(tls, path, report)
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return
  const names = checkCredentialNames(tls, path, report)
  if (names > 0) {
    if (serverCertificate) report.error([...path, 'serverCertificate'], 'cannot stand beside credentialName')
    if (privateKey) report.error([...path, 'privateKey'], 'cannot stand beside credentialName')
    if (tlsCertificates.length > 0) report.error([...path, 'tlsCertificates'], 'cannot stand beside credentialName')
    return
  }
  if (tlsCertificates.length === 0) {
    if (!serverCertificate) report.error([...path, 'serverCertificate'], `must be given for mode ${mode}`)
    if (!privateKey) report.error([...path, 'privateKey'], `must be given for mode ${mode}`)
  }
  tlsCertificates.forEach((pair, index) => {
    const at = [...path, 'tlsCertificates', index]
    if (!pair.serverCertificate) report.error([...at, 'serverCertificate'], 'must be given')
    if (!pair.privateKey) report.error([...at, 'privateKey'], 'must be given')
  })
  if (mode !== 'SIMPLE' && !caCertificates && !tls.caCertCredentialName) {
    report.error([...path, 'caCertificates'], `must be given for mode ${mode}: clients are verified by them`)
  }
}

/** How many Secrets it shows certificates of. */
function checkCredentialNames(tls: ServerTLSSettings, path: FieldPath, report: Report): number {
  const { credentialName = '', credentialNames = [], caCertCredentialName = '' } = tls
  if (credentialName !== '' && credentialNames.length > 0) {
    report.error([...path, 'credentialNames'], 'cannot stand beside credentialName')
  }
  if (caCertCredentialName !== '') checkSecretName(caCertCredentialName, [...path, 'caCertCredentialName'], report)
  const shown: [string, FieldPath][] = [
    ...(credentialName === '' ? [] : [[credentialName, ['credentialName']] satisfies [string, FieldPath]]),
    ...credentialNames.map((name, index): [string, FieldPath] => [name, ['credentialNames', index]]),
  ]
  for (const [name, field] of shown) {
    checkSecretName(name, [...path, ...field], report)
    // Proxies ask for the roots by such a name.
    if (name.endsWith(ROOTS_SUFFIX)) {
      report.error([...path, ...field], `a name that ends in ${ROOTS_SUFFIX} stands for roots`)
    }
  }
  return shown.length
}

const MESH_TLS_FIELDS = [
  'serverCertificate',
  'privateKey',
  'caCertificates',
  'caCrl',
  'credentialName',
  'credentialNames',
  'caCertCredentialName',
  'tlsCertificates',
  'verifyCertificateSpki',
  'verifyCertificateHash',
] as const

function checkMeshTls(tls: ServerTLSSettings, path: FieldPath, report: Report): void {
  for (const field of MESH_TLS_FIELDS) {
    if ((tls[field]?.length ?? 0) > 0)
      report.error([...path, field], "must be empty: ISTIO_MUTUAL takes the mesh's own")
  }
}
