import { create } from '@bufbuild/protobuf'
import {
  type RuntimeFractionalPercent,
  RuntimeFractionalPercentSchema,
} from '../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
  FractionalPercentSchema,
} from '../../api/gen/envoy/type/v3/percent_pb.js'
import type { Percent } from '../../crds/kinds/common.ts'

const MILLIONTHS_PER_PERCENT = 10_000

/** Per cent with fractions, exact to a ten-thousandth. An absent value is 0. */
export function fractionalPercent(percent: Percent | undefined): FractionalPercent {
  return create(FractionalPercentSchema, {
    numerator: Math.round((percent?.value ?? 0) * MILLIONTHS_PER_PERCENT),
    denominator: FractionalPercent_DenominatorType.MILLION,
  })
}

export function wholePercent(percent: number): FractionalPercent {
  return create(FractionalPercentSchema, {
    numerator: percent,
    denominator: FractionalPercent_DenominatorType.HUNDRED,
  })
}

export function runtimeFraction(defaultValue: FractionalPercent): RuntimeFractionalPercent {
  return create(RuntimeFractionalPercentSchema, { defaultValue })
}
