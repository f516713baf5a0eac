import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate and its key, as PEM files. */
export interface Issued {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

export interface IssueOptions {
  /** As openssl writes them: `DNS:a.example`, `URI:spiffe://mesh/ns/a/sa/b`, `IP:127.0.0.1`. */
  altNames?: readonly string[]
  /** Days from now; negative for one that has ended. */
  days?: number
  keyType?: 'ec' | 'rsa'
}

/** A certificate authority in a temporary folder, made with openssl. */
export class TestCa {
  readonly name: string
  readonly dir: string
  readonly certFile: string
  readonly cert: string
  readonly #keyFile: string
  #issued = 0

  constructor(name: string) {
    this.name = name
    this.dir = mkdtempSync(join(tmpdir(), 'lateen-ca-'))
    this.certFile = join(this.dir, 'ca.pem')
    this.#keyFile = join(this.dir, 'ca.key')
    newKey(this.#keyFile, 'ec')
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign,cRLSign']
    const subject = ['-subj', `/CN=${name}`, '-days', '30']
    openssl('req', '-x509', '-new', '-key', this.#keyFile, '-out', this.certFile, ...subject, ...extensions)
    this.cert = readFileSync(this.certFile, 'utf8')
  }

  issue(commonName: string, options: IssueOptions = {}): Issued {
    const base = join(this.dir, `leaf-${this.#issued++}`)
    const { altNames = [`DNS:${commonName}`], days = 10, keyType = 'ec' } = options
    newKey(`${base}.key`, keyType)
    openssl('req', '-new', '-key', `${base}.key`, '-out', `${base}.csr`, '-subj', `/CN=${commonName}`)
    writeFileSync(`${base}.cnf`, `subjectAltName=${altNames.join(',')}\nbasicConstraints=CA:FALSE\n`)
    const signing = ['-CA', this.certFile, '-CAkey', this.#keyFile, '-CAcreateserial', '-extfile', `${base}.cnf`]
    openssl('x509', '-req', '-in', `${base}.csr`, '-out', `${base}.pem`, '-days', String(days), ...signing)
    return {
      certFile: `${base}.pem`,
      keyFile: `${base}.key`,
      cert: readFileSync(`${base}.pem`, 'utf8'),
      key: readFileSync(`${base}.key`, 'utf8'),
    }
  }

  /** PEM of the list of what is revoked: these, and those that were in a list before. */
  revocations(...revoked: readonly Issued[]): string {
    const file = (name: string) => join(this.dir, name)
    const [config, database] = [file('ca.cnf'), file('index.txt')]
    if (!existsSync(database)) {
      writeFileSync(database, '')
      writeFileSync(file('crlnumber'), '01\n')
      const settings = `database=${database}\ncrlnumber=${file('crlnumber')}\ndefault_md=sha256\ndefault_crl_days=30\n`
      writeFileSync(config, `[ca]\ndefault_ca=own\n[own]\n${settings}`)
    }
    const signing = ['-config', config, '-keyfile', this.#keyFile, '-cert', this.certFile]
    for (const { certFile } of revoked) openssl('ca', ...signing, '-revoke', certFile)
    openssl('ca', ...signing, '-gencrl', '-out', file('crl.pem'))
    return readFileSync(file('crl.pem'), 'utf8')
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}

function newKey(file: string, type: 'ec' | 'rsa'): void {
  const options =
    type === 'ec' ? ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
  openssl('genpkey', '-algorithm', ...options, '-out', file)
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
