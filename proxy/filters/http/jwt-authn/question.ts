import type { Asker, Asking, Question } from '../../../decide/question.ts'
import { type OpenSignature, type Signatures, signatureKey } from './evaluate.ts'
import { keysOf } from './provider.ts'
import { JWT_STATUS, type JwtStatus } from './status.ts'

/** Whether some tokens were signed by whom they say. Fetches the keys of a server where that is needed. */
export class SignatureQuestion implements Question {
  readonly bodyBytes = 0
  readonly isLocal: boolean
  readonly #open: readonly OpenSignature[]

  constructor(open: readonly OpenSignature[]) {
    this.#open = open
    this.isLocal = open.every(({ provider, jwt }) => {
      return provider.remote === undefined || keysOf(provider)?.hasCandidate(jwt) === true
    })
  }

  get about(): string {
    const remote = this.#open.find(({ provider }) => provider.remote !== undefined)?.provider
    return remote === undefined
      ? `whether ${this.#open.map(({ provider }) => provider.issuer || provider.name).join(', ')} signed the token`
      : `cluster ${remote.remote?.options.cluster} for the keys of ${remote.issuer || remote.name}`
  }

  ask(asker: Asker): Asking {
    const asking = new SignatureAsking()
    const signatures: Signatures = new Map()
    const all = this.#open.map(async (open) => {
      signatures.set(signatureKey(open.provider, open.jwt.text), await verify(open, asker, asking))
    })
    // None of them throws.
    void Promise.all(all).then(() => asker.answer(signatures))
    return asking
  }
}

class SignatureAsking implements Asking {
  readonly stops: (() => void)[] = []

  cancel(): void {
    for (const stop of this.stops) stop()
  }
}

async function verify({ provider, jwt }: OpenSignature, asker: Asker, asking: SignatureAsking): Promise<JwtStatus> {
  const { remote, verified } = provider
  const { context } = asker
  const needsFetch = remote !== undefined && remote.keys?.hasCandidate(jwt) !== true
  if (needsFetch && context !== undefined && remote.mayFetch(context.clock.nowMs())) {
    await new Promise<void>((resolve) => asking.stops.push(remote.fetch(context, resolve)))
  }
  const keys = keysOf(provider)
  if (keys === undefined) return JWT_STATUS.fetchFailed
  const status = await keys.verify(jwt)
  if (status === JWT_STATUS.ok) verified.add(jwt, keys)
  return status
}
