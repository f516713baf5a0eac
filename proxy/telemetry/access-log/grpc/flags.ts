import type { ResponseFlag } from '../../../../api/response-flags.ts'
import type { WireWriter } from '../../wire/wire-writer.ts'

const RESPONSE_FLAGS = 16
/** ResponseFlags.Unauthorized. */
const UNAUTHORIZED = { field: 13, reason: 1, externalService: 1 } as const

/** The fields of ResponseFlags. */
const FLAG_FIELDS: Partial<Record<string, number>> = {
  LH: 1,
  UH: 2,
  UT: 3,
  LR: 4,
  UR: 5,
  UF: 6,
  UC: 7,
  UO: 8,
  NR: 9,
  DI: 10,
  FI: 11,
  RL: 12,
  RLSE: 14,
  DC: 15,
  URX: 16,
  SI: 17,
  IH: 18,
  DPE: 19,
  UMSDR: 20,
  DT: 23,
  UPE: 24,
  NC: 25,
  OM: 26,
}

/** The field of AccessLogCommon, where any flag holds. */
export function writeFlags(out: WireWriter, all: readonly ResponseFlag[]): void {
  if (all.length === 0) return
  const flags = out.begin(RESPONSE_FLAGS)
  for (const flag of all) writeFlag(out, flag)
  out.end(flags)
}

function writeFlag(out: WireWriter, flag: ResponseFlag): void {
  const field = FLAG_FIELDS[flag]
  if (field !== undefined) out.flag(field, true)
  else if (flag === 'UAEX') {
    const details = out.begin(UNAUTHORIZED.field)
    out.number(UNAUTHORIZED.reason, UNAUTHORIZED.externalService)
    out.end(details)
  }
}
