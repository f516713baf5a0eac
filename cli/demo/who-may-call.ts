import { errorText } from '../../lib/errors.ts'
import type { BookinfoMesh } from './bookinfo-mesh.ts'
import { type Answer, fetchText } from './http.ts'
import { SERVICE_PORT, type Workload } from './layout.ts'

/** The sample with the rules that are tried here. */
export const SECURITY_FILE = 'security.yaml'

/** One call, and whether it came out as the rules have it. */
export interface CallResult {
  readonly who: string
  readonly calls: string
  readonly expected: string
  readonly answered: string
  /** What decides it. */
  readonly because: string
  readonly isAsExpected: boolean
}

/** Tries who may call whom, as an attacker or a mistaken configuration would. */
export async function tryCalls({ layout }: BookinfoMesh): Promise<CallResult[]> {
  const { productpage, details, ratings, reviewsV1 } = layout
  const result = async (
    [who, calls, expected, because]: readonly [string, string, string, string],
    call: Promise<string>,
  ): Promise<CallResult> => {
    const answered = await call
    return { who, calls, expected, answered, because, isAsExpected: answered === expected }
  }
  const readers = 'AuthorizationPolicy reviews-readers (ALLOW)'
  const onlyReviews = 'AuthorizationPolicy ratings-only-for-reviews (DENY)'
  return [
    await result(
      ['anyone, in plain text', 'reviews', NOT_ANSWERED, 'PeerAuthentication STRICT'],
      answerOf(fetchText(reviewsV1.inbound, '/reviews/0')),
    ),
    await result(['productpage', 'reviews', '200', readers], callFrom(productpage, 'reviews', '/reviews/0')),
    await result(['details', 'reviews', '403', readers], callFrom(details, 'reviews', '/reviews/0')),
    await result(['reviews', 'ratings', '200', onlyReviews], callFrom(reviewsV1, 'ratings', '/ratings/0')),
    await result(['productpage', 'ratings', '403', onlyReviews], callFrom(productpage, 'ratings', '/ratings/0')),
    await result(['ratings', 'details', '200', 'no policy'], callFrom(ratings, 'details', '/details/0')),
  ]
}

const NOT_ANSWERED = 'not answered'

/** What the workload's own app would be answered. */
function callFrom({ egress }: Workload, service: string, path: string): Promise<string> {
  return answerOf(fetchText(egress, path, 'GET', undefined, { host: `${service}:${SERVICE_PORT}` }))
}

async function answerOf(call: Promise<Answer>): Promise<string> {
  try {
    return String((await call).status)
  } catch (thrown) {
    return /reset|hang up|closed/i.test(errorText(thrown)) ? NOT_ANSWERED : errorText(thrown)
  }
}
