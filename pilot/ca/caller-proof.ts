import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js'
import { parseSpiffeId, type SpiffeId } from '../../api/spiffe.ts'
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { type CallerCheck, identifyCaller } from './callers.ts'

const MAX_TOKEN_CHARS = 16 * 1024
const BEARER = /^Bearer (\S+)$/i
/** What a workload's certificate names, as node writes it: its id, and nothing beside it. */
const ONLY_A_URI = /^URI:([^\s,"]+)$/

/** What gRPC knows of the connection: a certificate only if it leads to one of the server's roots. */
export type Connection = ReturnType<ServerInterceptingCallInterface['getAuthContext']>

export interface ProvenCaller {
  readonly identity: SpiffeId
  readonly by: 'token' | 'certificate'
}

export interface CallerProofOptions {
  readonly callers: readonly CallerCheck[]
  readonly trustDomain: string
  readonly clock: Clock
}

/** Who calls: by the token that comes with the call, else by the certificate of the mesh that the connection was made with. */
export class CallerProof {
  readonly #options: CallerProofOptions

  constructor(options: CallerProofOptions) {
    this.#options = options
  }

  /** Rejects with CALLER_UNKNOWN or TOKEN_REFUSED. Who shows a token that is wrong is not believed for anything else. */
  async prove(metadata: Metadata, connection: Connection): Promise<ProvenCaller> {
    const [header, ...more] = metadata.get('authorization')
    if (header === undefined) return { identity: this.#shown(connection), by: 'certificate' }
    const token = BEARER.exec(String(header))?.[1]
    if (token === undefined || more.length > 0 || token.length > MAX_TOKEN_CHARS) {
      throw unknown('a bearer token is needed')
    }
    const identity = await identifyCaller(this.#options.callers, token)
    if (identity === undefined) throw unknown('the token is nobody’s that is known here')
    return { identity, by: 'token' }
  }

  #shown({ sslPeerCertificate: certificate }: Connection): SpiffeId {
    if (certificate === undefined) throw unknown('a bearer token, or a certificate of the mesh, is needed')
    const { clock, trustDomain } = this.#options
    // A resumed session shows what was valid once.
    const nowMs = clock.wallMs()
    if (!(nowMs >= Date.parse(certificate.valid_from) && nowMs <= Date.parse(certificate.valid_to))) {
      throw unknown('the certificate is not valid now')
    }
    const uri = ONLY_A_URI.exec(certificate.subjectaltname ?? '')?.[1]
    const identity = uri === undefined ? undefined : parseSpiffeId(uri)
    if (identity?.trustDomain !== trustDomain) throw unknown('the certificate is no workload’s of this mesh')
    return identity
  }
}

function unknown(reason: string): MeshError {
  return new MeshError('CALLER_UNKNOWN', reason, { source: 'downstream' })
}
