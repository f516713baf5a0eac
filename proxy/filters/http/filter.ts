import type { Any } from '@bufbuild/protobuf/wkt'
import type { Call } from '../../decide/call.ts'
import type { Decision } from '../../decide/decision.ts'
import type { Trace } from '../../decide/trace.ts'
import type { StreamContext } from '../../stream/context.ts'
import type { RuleOrigins } from '../rbac/policy.ts'

/**
 * The pure half of an HTTP filter: it compiles its configuration once and judges each call. What has effects is not done
 * here: waiting belongs to the stream, and what must be asked of somebody is a Question (decide/question.ts). Adding a
 * filter: a folder beside this file, and a line in builtin.ts.
 */
export interface HttpFilter<Config = unknown> {
  /** The name under which per-route configuration is found. */
  readonly name: string
  /** Protobuf message name of the connection manager's configuration, and of a route's. */
  readonly typeName: string
  readonly routeTypeName: string
  /** `origins`: where the listener's authorization rules are written. */
  compile(config: Any, path: string, origins?: RuleOrigins): Config
  compileForRoute(config: Any, path: string): Config
  /**
   * Looks at the call and writes into the decision what follows from it. `config` is the most specific one. Returns
   * true when the filter has answered the call itself, or must ask (decision.outcome is then no longer `forward`). Then
   * it is called again with the `answer` to its question; what earlier filters did stays done. `ofChain` is the
   * configuration of the connection manager, for filters whose routes only say what is different there; `trace` is for what was looked at
   * and why it was passed over.
   */
  judge(config: Config, call: Call, decision: Decision, answer?: unknown, ofChain?: Config, trace?: Trace): boolean
  /**
   * A configuration of a connection manager begins to be served, in this thread: what it will need is fetched ahead. The
   * function that is returned is called when it is no longer served.
   */
  prepare?(config: Config, context: StreamContext): () => void
}
