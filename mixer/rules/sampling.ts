import { createHash } from 'node:crypto'
import { parseDurationMs } from '../../crds/duration.ts'
import type { Sampling } from '../../crds/kinds/mixer.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../../lib/random.ts'
import type { AttributeTypes } from '../attributes/value.ts'
import { compileExpression } from '../expression/compile.ts'
import type { Compute, Evaluation } from '../expression/evaluation.ts'
import type { ModelReport } from './report.ts'

export interface Chance {
  readonly clock: Clock
  readonly random: Random
}

/** Whether this report is one of those that are handed on. */
export type Sampler = (evaluation: Evaluation, chance: Chance) => boolean

/** undefined: all are. */
export function compileSampling(
  sampling: Sampling | undefined,
  types: AttributeTypes,
  report: ModelReport,
): Sampler | undefined {
  const samplers: Sampler[] = []
  if (sampling?.random !== undefined) samplers.push(randomly(sampling.random, types, report))
  if (sampling?.rateLimit !== undefined) samplers.push(byRate(sampling.rateLimit))
  const [first, second] = samplers
  if (first === undefined || second === undefined) return first
  return (evaluation, chance) => first(evaluation, chance) && second(evaluation, chance)
}

const PATH = ['spec', 'sampling', 'random', 'attributeExpression']

function randomly(random: NonNullable<Sampling['random']>, types: AttributeTypes, report: ModelReport): Sampler {
  const { numerator = 0, denominator = 'HUNDRED' } = random.percentSampled ?? {}
  const share = numerator / (denominator === 'HUNDRED' ? 100 : 10_000)
  let seed: Compute | undefined
  const text = random.attributeExpression ?? ''
  if (text !== '' && random.useIndependentRandomness !== true) {
    seed = report.expression(compileExpression(text, types, 'STRING'), PATH)?.compute
  }
  return (evaluation, chance) => {
    // What belongs together is sampled together, in every mixer alike.
    const value = seed?.(evaluation)
    return (value === undefined ? chance.random.next() : hashShare(String(value))) < share
  }
}

/** From 0 to 1, and the same for the same text everywhere. */
function hashShare(text: string): number {
  return createHash('sha1').update(text).digest().readUInt32BE() / 2 ** 32
}

/** Of each time, the first ones, and then one of so many. */
function byRate({
  samplingDuration = '0s',
  maxUnsampledEntries = 0,
  samplingRate = 1,
}: NonNullable<Sampling['rateLimit']>): Sampler {
  const durationMs = parseDurationMs(samplingDuration) ?? 0
  let beganMs = Number.NEGATIVE_INFINITY
  let seen = 0
  return (_evaluation, { clock }) => {
    const nowMs = clock.nowMs()
    if (nowMs - beganMs >= durationMs) {
      beganMs = nowMs
      seen = 0
    }
    seen++
    if (seen <= maxUnsampledEntries) return true
    return samplingRate > 0 && (seen - maxUnsampledEntries) % samplingRate === 0
  }
}
