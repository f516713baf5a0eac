/** What a request says for its caller: whose word is taken, and what it has to say of tries and time. */
export interface Caller {
  /** It comes from inside by its address, or its certificate was verified: a part of the mesh, and no stranger. */
  isTrusted: boolean
  /** It has headers that steer retries and time-outs, which are obeyed (envoy router filter, "HTTP headers"). */
  steers: boolean
  /** How long it waits for the answer (x-envoy-expected-rq-timeout-ms); 0 when it does not say. */
  timeoutMs: number
  /** Which try of the caller's this is (x-envoy-attempt-count), from 1; 0 when it does not say. */
  attempt: number
}

export function newCaller(): Caller {
  return { isTrusted: false, steers: false, timeoutMs: 0, attempt: 0 }
}

export function resetCaller(caller: Caller): void {
  caller.isTrusted = false
  caller.steers = false
  caller.timeoutMs = 0
  caller.attempt = 0
}
