import type { ResponseFlag } from '../../api/response-flags.ts'
import type { GrpcWebCall } from '../filters/http/grpc-web/body.ts'
import type {
  ConnectPlan,
  MirrorPlan,
  RetryPlan,
  RoutePlan,
  VirtualHostPlan,
  WeightedClusterPlan,
} from '../plan/plan.ts'
import type { DynamicMetadata } from './metadata.ts'
import type { Question } from './question.ts'

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
  retry: RetryPlan | undefined
  /** The mirrors drawn for this call. */
  mirrors: readonly MirrorPlan[]
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
  /** Counters of filters that this call adds one to, without `http.<stat prefix>.`; who carries the decision out counts. */
  counted: string[] | undefined
  /** What filters have found out for others that come after them, by the name that they keep it under. */
  metadata: DynamicMetadata | undefined
  /** Response fields that filters add, names and values in turn. */
  responseHeaders: string[] | undefined
  /** Envoy's response code details, and the flag of the access log ('' for none). */
  detail: string
  flag: ResponseFlag | ''
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
    retry: undefined,
    mirrors: NO_MIRRORS,
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
    counted: undefined,
    metadata: undefined,
    responseHeaders: undefined,
    detail: '',
    flag: '',
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
  decision.retry = undefined
  decision.mirrors = NO_MIRRORS
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
  decision.counted = undefined
  decision.metadata = undefined
  decision.responseHeaders = undefined
  decision.detail = ''
  decision.flag = ''
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

export function count(decision: Decision, name: string): void {
  decision.counted ??= []
  decision.counted.push(name)
}

export function addResponseHeader(decision: Decision, name: string, value: string): void {
  decision.responseHeaders ??= []
  decision.responseHeaders.push(name, value)
}
