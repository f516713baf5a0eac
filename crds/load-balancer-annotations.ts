import { parseDurationMs } from './duration.ts'

/** On a DestinationRule: how hosts are chosen where it leaves that to LEAST_REQUEST. `PEAK_EWMA`, or nothing. */
export const LOAD_BALANCER_ANNOTATION = 'lateen.mesh/load-balancer'
/** The time constant of the moving average, a duration. */
export const LOAD_BALANCER_DECAY_ANNOTATION = 'lateen.mesh/load-balancer-decay'

export const PEAK_EWMA = 'PEAK_EWMA'

/** Of Finagle and linkerd. */
const DEFAULT_DECAY_MS = 10_000

/** The time constant by which a DestinationRule's hosts are chosen by Peak EWMA; undefined where they are not. */
export function peakEwmaDecayMs(annotations: Readonly<Record<string, string>>): number | undefined {
  if (annotations[LOAD_BALANCER_ANNOTATION] !== PEAK_EWMA) return undefined
  const decay = annotations[LOAD_BALANCER_DECAY_ANNOTATION]
  const decayMs = decay === undefined ? undefined : parseDurationMs(decay)
  return decayMs !== undefined && decayMs > 0 ? decayMs : DEFAULT_DECAY_MS
}
