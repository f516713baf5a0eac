import type { Any } from '@bufbuild/protobuf/wkt'
import type { Call } from '../../decide/call.ts'
import type { Decision } from '../../decide/decision.ts'
import type { Trace } from '../../decide/trace.ts'
import type { RuleOrigins } from '../rbac/policy.ts'

/**
 * The pure half of an HTTP filter: it compiles its configuration once and judges each call. The halves with effects
 * (waiting, asking a server) belong to the stream. Adding a filter: a folder beside this file, and a line in builtin.ts.
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
   * true when the filter has answered the call itself (decision.outcome is then no longer `forward`). `trace` is for what was
   * looked at and why it was passed over.
   */
  judge(config: Config, call: Call, decision: Decision, trace?: Trace): boolean
}
