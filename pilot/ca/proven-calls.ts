import {
  status as GrpcStatus,
  Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js'
import { errorText, MeshError } from '../../lib/errors.ts'
import type { CallerProof, ProvenCaller } from './caller-proof.ts'

/**
 * Lets through only calls whose caller is proven, before a byte of their messages is read, and remembers who it was: a handler
 * finds its caller by the metadata of the call.
 */
export class ProvenCalls {
  readonly #proof: CallerProof
  readonly #onRefused: (peer: string, reason: string) => void
  readonly #callers = new WeakMap<Metadata, ProvenCaller>()

  constructor(proof: CallerProof, onRefused: (peer: string, reason: string) => void) {
    this.#proof = proof
    this.#onRefused = onRefused
  }

  /** Of a call that came through. */
  callerOf(metadata: Metadata): ProvenCaller {
    const caller = this.#callers.get(metadata)
    if (caller === undefined) throw new MeshError('CALLER_UNKNOWN', 'nobody asked who called', { source: 'downstream' })
    return caller
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    const refuse = (peer: string, thrown: unknown) => {
      const isTold = thrown instanceof MeshError
      this.#onRefused(peer, errorText(thrown))
      // What is not the caller's doing is not the caller's to read.
      call.sendStatus({
        code: isTold ? GrpcStatus.UNAUTHENTICATED : GrpcStatus.INTERNAL,
        details: isTold ? errorText(thrown) : 'internal error',
        metadata: new Metadata(),
      })
    }
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, passOn) => {
        const peer = call.getPeer()
        this.#proof.prove(metadata, call.getAuthContext()).then(
          (caller) => {
            this.#callers.set(metadata, caller)
            // Nobody behind this needs the token, and what is not there cannot be logged.
            metadata.remove('authorization')
            passOn(metadata)
          },
          (thrown: unknown) => refuse(peer, thrown),
        )
      })
      .build()
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build())
  }
}
