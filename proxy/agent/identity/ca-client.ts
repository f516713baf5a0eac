import { readFile } from 'node:fs/promises'
import { create } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import {
  type IstioCertificateRequest,
  IstioCertificateRequestSchema,
  type IstioCertificateResponse,
  IstioCertificateService,
} from '../../../api/gen/istio/v1/auth/ca_pb.js'
import { serviceDefinition } from '../../../api/grpc.ts'
import { NODE_HEADER } from '../../../api/node.ts'
import type { Clock } from '../../../lib/clock.ts'
import { errorText, MeshError } from '../../../lib/errors.ts'
import type { CertificateSource } from './certificate-source.ts'

const DEADLINE_MS = 10_000

export interface CaClientOptions {
  /** `host:port` of a server of istio.v1.auth.IstioCertificateService: our pilot, or istiod. */
  readonly address: string
  /** PEM of the roots that the server's certificate must lead to. */
  readonly rootFile: string
  /** PEM of roots that it may lead to as well: those that came with the last certificate. '' for none. */
  readonly knownRoots?: () => string
  /** Read anew for each request: projected tokens are replaced while they are valid. */
  readonly tokenFile: string
  /** Of the certificates; 0 leaves it to the server. */
  readonly lifeSeconds: number
  /** The xDS id of this proxy, by which the server tells it from others of its identity; '' for none. */
  readonly node?: string
  readonly clock: Clock
}

/** Asks the certificate service. Each request has a connection of its own: there are hours between them. */
export class CaClient implements CertificateSource {
  readonly #options: CaClientOptions
  readonly #method = serviceDefinition(IstioCertificateService).createCertificate

  constructor(options: CaClientOptions) {
    this.#options = options
  }

  async sign(csr: string, abort: AbortSignal): Promise<readonly string[]> {
    const { address, rootFile, tokenFile, lifeSeconds, node = '', knownRoots } = this.#options
    const [roots, token] = await Promise.all([read(rootFile), read(tokenFile)])
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${token.toString('latin1').trim()}`)
    if (node !== '') metadata.set(NODE_HEADER, node)
    const request = create(IstioCertificateRequestSchema, { csr, validityDuration: BigInt(lifeSeconds) })
    const client = new Client(
      address,
      credentials.createSsl(Buffer.concat([roots, Buffer.from(`\n${knownRoots?.() ?? ''}`)])),
    )
    try {
      return await this.#call(client, metadata, request, abort)
    } finally {
      client.close()
    }
  }

  #call(
    client: Client,
    metadata: Metadata,
    request: IstioCertificateRequest,
    abort: AbortSignal,
  ): Promise<readonly string[]> {
    const { address, clock } = this.#options
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest<IstioCertificateRequest, IstioCertificateResponse>(
        this.#method?.path as string,
        this.#method?.requestSerialize as (request: IstioCertificateRequest) => Buffer,
        this.#method?.responseDeserialize as (bytes: Buffer) => IstioCertificateResponse,
        request,
        metadata,
        { deadline: clock.wallMs() + DEADLINE_MS },
        (error, response) => {
          abort.removeEventListener('abort', cancel)
          if (error !== null) reject(failure(address, error))
          else resolve(response?.certChain ?? [])
        },
      )
      const cancel = () => call.cancel()
      abort.addEventListener('abort', cancel)
      // It may have come while the files were read.
      if (abort.aborted) cancel()
    })
  }
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (thrown) {
    throw new MeshError(
      'CA_UNREACHABLE',
      `what the certificate authority is asked with cannot be read: ${errorText(thrown)}`,
      {
        source: 'local',
        details: { file },
      },
    )
  }
}

/** The token, which is never part of it, is not worth asking with again where it was refused; all else may pass. */
function failure(address: string, error: ServiceError): MeshError {
  const isRefusal = [status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT].includes(error.code)
  const code = isRefusal ? 'CA_REFUSED' : 'CA_UNREACHABLE'
  return new MeshError(code, `${address} gave no certificate: ${status[error.code]}: ${error.details}`, {
    source: isRefusal ? 'local' : 'upstream',
  })
}
