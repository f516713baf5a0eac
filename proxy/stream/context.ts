import type { HeldClock } from '../../lib/clock.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { Random } from '../../lib/random.ts'
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import type { Surroundings } from '../decide/surroundings.ts'
import type { Plan } from '../plan/plan.ts'
import type { ObserverDirectory } from '../telemetry/telemetry.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { BugReporter } from './bugs.ts'
import type { DateHeader } from './date.ts'
import type { HeaderBlock } from './header-block.ts'
import type { OutBuffer } from './out-buffer.ts'

/** What a stream needs of the proxy around it. */
export interface StreamContext {
  readonly clock: HeldClock
  readonly random: Random
  readonly wheel: TimerWheel
  readonly date: DateHeader
  readonly out: OutBuffer
  readonly bugs: BugReporter
  readonly metrics: MetricStore
  /** What decisions may ask. */
  readonly around: Surroundings
  readonly telemetry: ObserverDirectory
  addActiveFault(by: 1 | -1): void
  /** Whether new requests are refused. */
  readonly overload: { readonly isShedding: boolean }
  /** The plan in force now. A request keeps the one it began with. */
  readonly plan: Plan
  cluster(name: string): Cluster | undefined
  /** Adds a new x-request-id. */
  addRequestId(head: HeaderBlock): void
}
