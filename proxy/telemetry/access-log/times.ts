import type { CallRecord } from '../call-record.ts'
import type { Subject } from '../cel/attributes.ts'

/** When something happened, by the monotonic clock in milliseconds; 0 where it did not, or is not known. */
export type TimePoint = (subject: Subject) => number

const ofCall =
  (read: (record: CallRecord) => number): TimePoint =>
  (subject) =>
    subject.isCall ? read(subject) : 0

export const requestStart: TimePoint = ({ startMs }) => startMs
export const requestEnd = ofCall(({ requestEndMs }) => requestEndMs)
export const upstreamStart = ofCall(({ upstreamStartMs }) => upstreamStartMs)
/** The request's last byte went on when it came, or with its head. */
export const upstreamRequestEnd = ofCall(({ upstreamStartMs, requestEndMs }) =>
  upstreamStartMs === 0 || requestEndMs === 0 ? 0 : Math.max(upstreamStartMs, requestEndMs),
)
export const upstreamAnswer = ofCall(({ isUpstreamAnswer, responseMs }) => (isUpstreamAnswer ? responseMs : 0))
export const upstreamAnswerEnd = ofCall(({ isUpstreamAnswer, endMs }) => (isUpstreamAnswer ? endMs : 0))
export const answerStart = ofCall(({ responseMs }) => responseMs)
export const end: TimePoint = ({ endMs }) => endMs

/** Envoy's names of them in %COMMON_DURATION(..)%. */
export const TIME_POINTS: Readonly<Record<string, TimePoint>> = {
  DS_RX_BEG: requestStart,
  DS_RX_END: requestEnd,
  US_CX_END: (subject) => (subject.isCall ? 0 : subject.connectedMs),
  US_TX_BEG: upstreamStart,
  US_TX_END: upstreamRequestEnd,
  US_RX_BEG: upstreamAnswer,
  US_RX_END: upstreamAnswerEnd,
  DS_TX_BEG: answerStart,
  DS_TX_END: end,
}

/** Between the two, in units of which a millisecond has `perMs`; undefined where one of them was not. */
export function between(from: TimePoint, to: TimePoint, perMs = 1): (subject: Subject) => number | undefined {
  return (subject) => {
    const [start, stop] = [from(subject), to(subject)]
    return start === 0 || stop === 0 || stop < start ? undefined : Math.floor((stop - start) * perMs)
  }
}
