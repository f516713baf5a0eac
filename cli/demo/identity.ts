import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { NAMESPACE } from './config-text.ts'
import { hostPort, type Layout } from './layout.ts'

const PRIVATE_FILE = 0o600
const TOKEN_BYTES = 32

/** What the demo's workloads prove themselves by, and where they get certificates for it. */
export class DemoIdentities {
  readonly #folder: string
  readonly #layout: Layout

  /** Everything is below `folder`. */
  constructor(folder: string, layout: Layout) {
    this.#folder = folder
    this.#layout = layout
  }

  get #tokens(): string {
    return join(this.#folder, 'tokens')
  }

  /** Where the key and the root of the authority are. */
  get authority(): string {
    return join(this.#folder, 'ca')
  }

  /** A token for the workloads of a service account, as Kubernetes would mount one into their pods. */
  async giveToken(account: string): Promise<void> {
    const file = this.#tokenFile(account)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, randomBytes(TOKEN_BYTES).toString('base64'), { mode: PRIVATE_FILE })
  }

  /** What the pilot is told to be an authority. */
  get pilotArguments(): readonly string[] {
    const { ca } = this.#layout
    const served = ['--ca-address', hostPort(ca), '--ca-server-name', ca.host]
    return ['--ca-dir', this.authority, '--ca-tokens', this.#tokens, ...served]
  }

  /** What a proxy is told to get certificates. */
  proxyArguments(account: string): readonly string[] {
    const root = join(this.authority, 'root-cert.pem')
    return ['--ca-address', hostPort(this.#layout.ca), '--ca-root', root, '--token', this.#tokenFile(account)]
  }

  #tokenFile(account: string): string {
    return join(this.#tokens, NAMESPACE, account)
  }
}
