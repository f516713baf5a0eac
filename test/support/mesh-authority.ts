import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../lib/clock.ts'
import { makeSigningRequest } from '../../lib/x509/signing-request.ts'
import type { CaOptions } from '../../pilot/ca/open.ts'
import { CaClient } from '../../proxy/agent/identity/ca-client.ts'
import type { IdentityOptions } from '../../proxy/agent/identity/identity-secrets.ts'

/** The folder of a pilot's authority, with the tokens of the workloads that it believes. */
export class MeshAuthority {
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-authority-'))

  /** `accounts`: `<namespace>/<service account>`. */
  constructor(accounts: readonly string[]) {
    for (const account of accounts) {
      mkdirSync(join(this.#dir, 'tokens', account.split('/')[0] as string), { recursive: true })
      writeFileSync(this.tokenFile(account), this.#token(account))
    }
  }

  readonly #tokens = new Map<string, string>()

  get options(): CaOptions {
    return {
      address: '127.0.0.1:0',
      dir: join(this.#dir, 'ca'),
      trustDomain: 'cluster.local',
      serverNames: ['127.0.0.1'],
      tokensDir: join(this.#dir, 'tokens'),
      serviceAccounts: undefined,
    }
  }

  /** Made when the pilot opens the authority. */
  get rootFile(): string {
    return join(this.#dir, 'ca/root-cert.pem')
  }

  /** How a proxy of this account gets its certificate. */
  identity(account: string, caPort: number): IdentityOptions {
    const [caAddress, caRootFile] = [`127.0.0.1:${caPort}`, this.rootFile]
    return { caAddress, caRootFile, tokenFile: this.tokenFile(account), lifeSeconds: 3600 }
  }

  file(name: string): string {
    return join(this.#dir, name)
  }

  tokenFile(account: string): string {
    return join(this.#dir, 'tokens', account)
  }

  token(account: string): string {
    return this.#token(account)
  }

  /** A certificate for the workload, as its agent would get it from the pilot on this port. */
  async certificate(account: string, port: number): Promise<{ certFile: string; keyFile: string }> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const client = new CaClient({
      address: `127.0.0.1:${port}`,
      rootFile: this.rootFile,
      tokenFile: this.tokenFile(account),
      lifeSeconds: 3600,
      clock: systemClock,
    })
    const chain = await client.sign(makeSigningRequest(privateKey), new AbortController().signal)
    const [certFile, keyFile] = [this.file('workload.pem'), this.file('workload.key')]
    writeFileSync(certFile, chain.slice(0, -1).join(''))
    writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    return { certFile, keyFile }
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #token(account: string): string {
    const token = this.#tokens.get(account) ?? randomBytes(32).toString('base64url')
    this.#tokens.set(account, token)
    return token
  }
}
