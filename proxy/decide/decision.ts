import type { ResponseFlag } from '../../api/response-flags.ts'
import { type Hash64, HashValue } from '../../lib/xxhash64.ts'
import type { GrpcWebCall } from '../filters/http/grpc-web/body.ts'
import type { PolicyPlan } from '../filters/rbac/policy.ts'
import type {
  ConnectPlan,
  MirrorPlan,
  RetryPlan,
  RoutePlan,
  VirtualHostPlan,
  WeightedClusterPlan,
} from '../plan/plan.ts'
import { PRIORITY, type Priority } from '../upstream/circuit-breaker.ts'
import { type Caller, newCaller, resetCaller } from './caller.ts'
import type { FieldChange } from './field-change.ts'
import type { DynamicMetadata } from './metadata.ts'
import type { Question } from './question.ts'

/** What the rules about callers say of a call or connection. Where none was asked the verdict is `none`. */
export interface AuthorizationDecision {
  verdict: 'none' | 'allow' | 'deny'
  /** The one that decided; undefined where none matched. */
  policy: PolicyPlan | undefined
}

/** What was found of a caller's tokens. `none`: there is none, and the call may do without. */
export interface TokenDecision {
  readonly verdict: 'none' | 'accepted' | 'refused'
  /** Of the one that was accepted last; '' where it names none. */
  readonly issuer: string
  readonly subject: string
  /** Why it was refused, in Envoy's words. */
  readonly reason: string
}

export function newAuthorization(): AuthorizationDecision {
  return { verdict: 'none', policy: undefined }
}

/** `ask`: nothing is decided before `question` has its answer. */
export type Outcome = 'forward' | 'redirect' | 'direct_response' | 'local_reply' | 'ask'

/** What happens to one call. Filled by decide(), then carried out by the stream or printed by `explain`. */
export interface Decision {
  outcome: Outcome
  /** The client that proxies in front of us vouch for, an IP address; '' when it is the peer of the connection. */
  clientAddress: string
  virtualHost: VirtualHostPlan | undefined
  route: RoutePlan | undefined
  /** The chosen cluster with its own header mutations, when forwarding (or when its cluster is not known). */
  choice: WeightedClusterPlan | undefined
  /** Path and authority to send upstream. */
  path: string
  authority: string
  /** 0 is none. */
  timeoutMs: number
  /** Of one try; 0 is none. */
  perTryTimeoutMs: number
  retry: RetryPlan | undefined
  /** A try that takes longer than it may gets a rival, and the first good answer counts. */
  hedges: boolean
  /** From the request's start to its answer's end; 0 is no bound. */
  maxDurationMs: number
  priority: Priority
  readonly caller: Caller
  /** The mirrors drawn for this call. */
  mirrors: readonly MirrorPlan[]
  /** Of what the route's hash policies found; undefined where they found nothing, or nobody asks. */
  hash: Hash64 | undefined
  /** What `hash` is written to. */
  readonly hashValue: HashValue
  /** Set-Cookie fields of the upstream's response: the sessions that were begun for the hash. */
  setCookies: string[] | undefined
  /** Where the request's bytes go to the host as they are, on a connection of their own. */
  connect: ConnectPlan | undefined
  /** Wait before going on; drawn by the fault filter. */
  delayMs: number
  /** Status, body and Location of an answer of our own. */
  status: number
  body: Buffer | undefined
  location: string
  grpcStatus: number | undefined
  /** The call came as gRPC-Web, and its bodies must be translated. */
  grpcWeb: GrpcWebCall | undefined
  /** The filter of the chain that judges now, or that has asked. */
  filterIndex: number
  question: Question | undefined
  /** A filter has changed what routes are found by: the next filter sees the route that is found then. */
  clearsRoute: boolean
  /** What filters have found out for others that come after them, by the name that they keep it under. */
  metadata: DynamicMetadata | undefined
  /** undefined where no token was looked for. */
  token: TokenDecision | undefined
  readonly authorization: AuthorizationDecision
  /** Counters of the connection manager that the filters have counted in, by their names. */
  readonly counted: string[]
  /** What filters do to the response's fields, in turn. */
  responseHeaders: FieldChange[] | undefined
  /** Envoy's response code details, and the flag of the access log ('' for none). */
  detail: string
  flag: ResponseFlag | ''
  /** Why there was no retry though the policy asks for one, beside `flag`. */
  retryFlag: 'URX' | 'UO' | ''
}

export function newDecision(): Decision {
  return {
    outcome: 'forward',
    clientAddress: '',
    virtualHost: undefined,
    route: undefined,
    choice: undefined,
    path: '',
    authority: '',
    timeoutMs: 0,
    perTryTimeoutMs: 0,
    retry: undefined,
    hedges: false,
    maxDurationMs: 0,
    priority: PRIORITY.default,
    caller: newCaller(),
    mirrors: NO_MIRRORS,
    hash: undefined,
    hashValue: new HashValue(),
    setCookies: undefined,
    connect: undefined,
    delayMs: 0,
    status: 0,
    body: undefined,
    location: '',
    grpcStatus: undefined,
    grpcWeb: undefined,
    filterIndex: 0,
    question: undefined,
    clearsRoute: false,
    metadata: undefined,
    token: undefined,
    authorization: newAuthorization(),
    counted: [],
    responseHeaders: undefined,
    detail: '',
    flag: '',
    retryFlag: '',
  }
}

const NO_MIRRORS: readonly MirrorPlan[] = []

export function resetDecision(decision: Decision): void {
  decision.outcome = 'forward'
  decision.clientAddress = ''
  decision.virtualHost = undefined
  decision.route = undefined
  decision.choice = undefined
  decision.path = ''
  decision.authority = ''
  decision.timeoutMs = 0
  decision.perTryTimeoutMs = 0
  decision.retry = undefined
  decision.hedges = false
  decision.maxDurationMs = 0
  decision.priority = PRIORITY.default
  resetCaller(decision.caller)
  decision.mirrors = NO_MIRRORS
  decision.hash = undefined
  decision.setCookies = undefined
  decision.connect = undefined
  decision.delayMs = 0
  decision.status = 0
  decision.body = undefined
  decision.location = ''
  decision.grpcStatus = undefined
  decision.grpcWeb = undefined
  decision.filterIndex = 0
  decision.question = undefined
  decision.clearsRoute = false
  decision.metadata = undefined
  decision.token = undefined
  decision.authorization.verdict = 'none'
  decision.authorization.policy = undefined
  if (decision.counted.length > 0) decision.counted.length = 0
  decision.responseHeaders = undefined
  decision.detail = ''
  decision.flag = ''
  decision.retryFlag = ''
}

/** Turns the decision into an answer of our own. */
export function answer(decision: Decision, status: number, detail: string, flag: ResponseFlag | ''): void {
  decision.outcome = 'local_reply'
  decision.status = status
  decision.detail = detail
  if (flag !== '') decision.flag = flag
}

/** Leaves the decision open until the question is answered; resume() then goes on at the filter that asks. */
export function ask(decision: Decision, question: Question): void {
  decision.outcome = 'ask'
  decision.question = question
}

/** Counts one in a counter of the connection manager. Whoever carries the decision out adds it up: deciding has no effects. */
export function countIn(decision: Decision, counter: string): void {
  decision.counted.push(counter)
}

/** In the place of what the upstream says of it. */
export function addResponseHeader(decision: Decision, name: string, value: string): void {
  changeResponseHeader(decision, { name, value, action: 'set' })
}

export function changeResponseHeader(decision: Decision, change: FieldChange): void {
  decision.responseHeaders ??= []
  decision.responseHeaders.push(change)
}
