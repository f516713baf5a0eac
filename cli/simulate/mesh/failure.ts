export const FAILURE_KINDS = ['status', 'reset', 'refuse', 'blackhole', 'slow'] as const
export type FailureKind = (typeof FAILURE_KINDS)[number]

/** What goes wrong at an endpoint for a while. */
export interface Failure {
  /**
   * `status`: requests are answered with `value` at once. `reset`: their connections break. `refuse`: the process is gone: no
   * connection is accepted, and those that are open break. `blackhole`: nothing comes back, of connections or requests. `slow`: work
   * takes `value` times as long.
   */
  readonly kind: FailureKind
  readonly fromMs: number
  /** Not included; may be infinite. */
  readonly toMs: number
  readonly value: number
  /** Which part of the requests it meets. */
  readonly rate: number
}
