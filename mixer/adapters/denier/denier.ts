import { type Static, Type } from '@sinclair/typebox'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, int32, message } from '../../../crds/schema.ts'
import type { Adapter } from '../adapter.ts'

const FAILED_PRECONDITION = 9

const Params = message({
  status: Type.Optional(message({ code: Type.Optional(int32()), message: Type.Optional(Type.String()) })),
  validDuration: Type.Optional(durationOrZero()),
  validUseCount: Type.Optional(int32()),
})
type Params = Static<typeof Params>

/** Says no, whatever it is asked. */
export const denier: Adapter<Params> = {
  name: 'denier',
  templates: ['checknothing', 'listentry', 'quota'],
  params: Params,

  open({ status, validDuration = '5s', validUseCount = 1000 }) {
    const validDurationMs = parseDurationMs(validDuration) ?? 0
    const verdict = {
      code: status?.code ?? FAILED_PRECONDITION,
      message: status?.message ?? '',
      validDurationMs,
      validUseCount,
    }
    const nothing = { granted: 0, validDurationMs, maxAmount: 0, remaining: 0, resetMs: validDurationMs }
    return { check: () => verdict, quota: () => nothing, close() {} }
  },
}
