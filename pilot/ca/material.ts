import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { makeCertificate } from '../../lib/x509/certificate.ts'
import { fromPem, toPem } from '../../lib/x509/pem.ts'
import { keyProblem } from '../../lib/x509/signing.ts'

/** What an authority signs with. */
export interface AuthorityMaterial {
  readonly certificate: X509Certificate
  readonly key: KeyObject
  /** What a peer needs to get from a leaf to a root, PEM, from the issuer on; without the root itself. */
  readonly chain: readonly string[]
  /** PEM, one after the other. */
  readonly roots: string
  readonly rootList: readonly string[]
}

/** The files of Istio's `cacerts` secret. */
export const FILES = {
  certificate: 'ca-cert.pem',
  key: 'ca-key.pem',
  chain: 'cert-chain.pem',
  roots: 'root-cert.pem',
} as const

/** Istio's CITADEL_SELF_SIGNED_CA_CERT_TTL. */
const ROOT_TTL_MS = 10 * 365 * 86_400_000
/** A certificate is valid from a little before now: clocks differ. */
export const SKEW_MS = 2 * 60_000
const PRIVATE_FILE = 0o600
const PRIVATE_FOLDER = 0o700
const OTHERS_WRITE = 0o022
const OTHERS_READ = 0o044
/** Longer chains than anyone has. */
const MAX_CHAIN = 10

/**
 * The authority of a folder in Istio's `cacerts` layout: an intermediate that was put there, or a root that signs itself, which is
 * made when the folder does not exist or is empty. Throws CA_INVALID with the file that is wrong.
 */
export function openMaterial(dir: string, trustDomain: string, clock: Clock, log: Logger): AuthorityMaterial {
  if (!existsSync(join(dir, FILES.certificate))) createAuthority(dir, trustDomain, clock)
  return readMaterial(dir, log)
}

/** Written beside and renamed: whoever reads finds all files or none, and of two that make one at a time the first has it. */
export function createAuthority(dir: string, trustDomain: string, clock: Clock): void {
  let beside: string | undefined
  try {
    mkdirSync(dirname(dir), { recursive: true })
    // Not below it, as a path that ends in a slash would have it.
    beside = mkdtempSync(`${resolve(dir)}.new-`)
    const { certificate, key } = makeRoot(trustDomain, clock)
    writeAuthority(beside, certificate, key)
    renameSync(beside, dir)
  } catch (thrown) {
    if (beside !== undefined) rmSync(beside, { recursive: true, force: true })
    // Somebody else was faster.
    if (existsSync(join(dir, FILES.certificate))) return
    throw invalid(dir, errorText(thrown))
  }
}

function writeAuthority(dir: string, certificate: string, key: string): void {
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text, { mode: PRIVATE_FILE })
  write(FILES.key, key)
  write(FILES.roots, certificate)
  write(FILES.chain, certificate)
  write(FILES.certificate, certificate)
  chmodSync(dir, PRIVATE_FOLDER)
}

function makeRoot(trustDomain: string, clock: Clock): { certificate: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const nowMs = clock.wallMs()
  const spec = {
    publicKey,
    organization: trustDomain,
    names: [],
    isAuthority: true,
    notBeforeMs: nowMs - SKEW_MS,
    notAfterMs: nowMs + ROOT_TTL_MS,
    serial: randomBytes(16),
  }
  return {
    certificate: makeCertificate(spec, { key: privateKey }),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** Throws CA_INVALID with the file that is wrong. */
export function readMaterial(dir: string, log: Logger): AuthorityMaterial {
  const certificate = readSome(dir, FILES.certificate)[0] as X509Certificate
  const roots = readSome(dir, FILES.roots)
  // Absent or empty where the root itself signs.
  const chain = existsSync(join(dir, FILES.chain)) ? readCertificates(dir, FILES.chain) : []
  const key = readKey(dir, log)
  if (!certificate.ca) throw invalid(join(dir, FILES.certificate), 'the certificate is not that of an authority')
  if (!certificate.checkPrivateKey(key))
    throw invalid(join(dir, FILES.key), `it is not the key of ${FILES.certificate}`)
  const path = pathToRoot(certificate, chain, roots)
  if (path === undefined)
    throw invalid(join(dir, FILES.chain), `it does not lead from ${FILES.certificate} to ${FILES.roots}`)
  const rootList = [...new Set(roots.map(pemOf))]
  return { certificate, key, chain: path.map(pemOf), roots: rootList.join(''), rootList }
}

/** Those of the roots in the folder, PEM, that its authority leads to; the others are trusted beside it. */
export function rootsThatLead(dir: string, log: Logger): readonly string[] {
  const { certificate, rootList } = readMaterial(dir, log)
  const chain = existsSync(join(dir, FILES.chain)) ? readCertificates(dir, FILES.chain) : []
  return rootList.filter((root) => pathToRoot(certificate, chain, [new X509Certificate(root)]) !== undefined)
}

/** The certificates from this one to before a root; none for a root. undefined when they lead to none. */
function pathToRoot(
  from: X509Certificate,
  known: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): readonly X509Certificate[] | undefined {
  const path: X509Certificate[] = []
  let at = from
  while (path.length < MAX_CHAIN) {
    if (roots.some((root) => root.raw.equals(at.raw))) return path
    path.push(at)
    const issuer = [...roots, ...known].find((other) => other.ca && at.checkIssued(other) && at.verify(other.publicKey))
    if (issuer === undefined) return undefined
    at = issuer
  }
  return undefined
}

function readSome(dir: string, name: string): readonly X509Certificate[] {
  const found = readCertificates(dir, name)
  if (found.length === 0) throw invalid(join(dir, name), 'it holds no certificate')
  return found
}

function readCertificates(dir: string, name: string): readonly X509Certificate[] {
  const file = join(dir, name)
  try {
    return fromPem(readFileSync(file, 'utf8'), 'CERTIFICATE').map((der) => new X509Certificate(der))
  } catch (thrown) {
    throw invalid(file, errorText(thrown))
  }
}

function readKey(dir: string, log: Logger): KeyObject {
  const file = join(dir, FILES.key)
  try {
    const { mode } = statSync(file)
    if ((mode & OTHERS_WRITE) !== 0) throw new Error('others than its owner may write it; chmod 600')
    // Kubernetes mounts secrets so unless their `defaultMode` says otherwise.
    if ((mode & OTHERS_READ) !== 0) log.warning('others than its owner may read the authority’s key', { file })
    const key = createPrivateKey(readFileSync(file))
    const problem = keyProblem(key)
    if (problem !== undefined) throw new Error(problem)
    return key
  } catch (thrown) {
    throw invalid(file, errorText(thrown))
  }
}

function pemOf(certificate: X509Certificate): string {
  return toPem('CERTIFICATE', certificate.raw)
}

function invalid(file: string, reason: string): MeshError {
  return new MeshError('CA_INVALID', `${file}: ${reason}`, { source: 'config', details: { file } })
}
