import type { Metadata } from '@grpc/grpc-js'
import type { RateLimitRequest } from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import type { QuotaAnswer } from '../rules/dispatcher.ts'

/** Where proxies find what they have been granted ahead (docs/reference/checks-and-quotas.md). */
export const QUOTA_METADATA = 'lateen.mesh/quota'
/** With it proxies say that they can use more than one, and how many. */
const WANTED_FIELD = 'lateen-quota-wanted'

/** What a proxy is told beside the answer. */
export interface Grant {
  /** So many calls may pass, that which was asked for among them; 0 with a refusal. */
  readonly granted: number
  /** So long, from when it was asked: these calls may pass, or nothing will be there. */
  readonly validDurationMs: number
}

export interface QuotaTaking {
  readonly answers: readonly QuotaAnswer[]
  readonly grant?: Grant
}

type Take = (hits: number) => QuotaAnswer[] | Promise<QuotaAnswer[]>

/** No more than this part of what is left goes to one proxy ahead. */
const SHARE = 4
/** Of what has less left than this nothing is given ahead: small quotas are exact, and so is the end of large ones. */
const MIN_REMAINING = 20
const MAX_VALID_MS = 60_000
/** A refusal is said again for no longer, so that a greater limit is soon felt. */
const MAX_REFUSED_MS = 1_000
/** Of calls that are charged to nothing. */
const UNLIMITED: Grant = { granted: 10_000, validDurationMs: 5_000 }

/** 0 where the proxy says nothing of it, or nothing can be given ahead: what has an id of its own is one call's. */
export function wantedOf(metadata: Metadata, { descriptors }: RateLimitRequest): number {
  if (descriptors.some(({ entries }) => entries.some(({ key }) => key === 'request.id'))) return 0
  const [text] = metadata.get(WANTED_FIELD)
  const wanted = Number(text ?? 0)
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : 0
}

/**
 * Takes `hits` for the call that is asked about, and if they are there, more for calls to come: up to `wanted` in all, as far as the
 * quota that is nearest to its end leaves room. What was taken so is gone, whether the proxy needs it or not.
 */
export function takeAhead(take: Take, hits: number, wanted: number): QuotaTaking | Promise<QuotaTaking> {
  return inTurn(take(hits), (answers) => {
    const tightest = tightestOf(answers)
    const refused = answers.find(({ granted }) => !granted)
    if (refused !== undefined) {
      const resetMs = refused.tightest?.resetMs ?? 0
      return { answers, grant: { granted: 0, validDurationMs: Math.min(resetMs, MAX_REFUSED_MS) } }
    }
    if (answers.some(({ problem }) => problem !== '')) return { answers }
    if (tightest === undefined) return { answers, grant: UNLIMITED }
    const { validDurationMs: windowMs, remaining } = tightest
    const validDurationMs = windowMs === 0 ? MAX_VALID_MS : Math.min(windowMs, MAX_VALID_MS)
    const extra = remaining < MIN_REMAINING ? 0 : Math.min(wanted - hits, Math.floor(remaining / SHARE))
    if (extra <= 0) return { answers, grant: { granted: hits, validDurationMs } }
    return inTurn(take(extra), (more) => {
      const isTaken = more.every(({ granted, problem }) => granted && problem === '')
      const grant = { granted: isTaken ? hits + extra : hits, validDurationMs }
      return { answers: isTaken ? more : answers, grant }
    })
  })
}

function tightestOf(answers: readonly QuotaAnswer[]) {
  let tightest: QuotaAnswer['tightest']
  for (const { tightest: one } of answers) {
    if (one !== undefined && (tightest === undefined || one.remaining < tightest.remaining)) tightest = one
  }
  return tightest
}

/** At once where nothing has to wait. */
export function inTurn<A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(next) : next(value)
}
