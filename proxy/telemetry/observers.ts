import type { HeaderBlock } from '../stream/header-block.ts'
import type { CallRecord } from './call-record.ts'
import type { ConnectionRecord } from './connection-record.ts'
import type { CallObserver, ConnectionObserver } from './observer.ts'

/** All who observe the calls of one connection manager, in the order of its configuration. What one throws harms nobody else. */
export class CallObservers {
  /** The union of what they want of answers. */
  readonly responseFields: readonly string[]
  readonly #onRequest: readonly Required<Pick<CallObserver, 'onRequest'>>[]
  readonly #onForward: readonly Required<Pick<CallObserver, 'onForward'>>[]
  readonly #onResponse: readonly Required<Pick<CallObserver, 'onResponse'>>[]
  readonly #onEnd: readonly Required<Pick<CallObserver, 'onEnd'>>[]
  readonly #onBug: (thrown: unknown) => void

  constructor(observers: readonly CallObserver[], onBug: (thrown: unknown) => void) {
    this.responseFields = [...new Set(observers.flatMap(({ responseFields = [] }) => responseFields))]
    this.#onRequest = observers.filter((one) => has(one, 'onRequest'))
    this.#onForward = observers.filter((one) => has(one, 'onForward'))
    this.#onResponse = observers.filter((one) => has(one, 'onResponse'))
    this.#onEnd = observers.filter((one) => has(one, 'onEnd'))
    this.#onBug = onBug
  }

  onRequest(record: CallRecord): void {
    const all = this.#onRequest
    for (let i = 0; i < all.length; i++) {
      try {
        all[i]?.onRequest(record)
      } catch (thrown) {
        this.#onBug(thrown)
      }
    }
  }

  onForward(record: CallRecord): void {
    const all = this.#onForward
    for (let i = 0; i < all.length; i++) {
      try {
        all[i]?.onForward(record)
      } catch (thrown) {
        this.#onBug(thrown)
      }
    }
  }

  onResponse(record: CallRecord, fields: HeaderBlock): void {
    const all = this.#onResponse
    for (let i = 0; i < all.length; i++) {
      try {
        all[i]?.onResponse(record, fields)
      } catch (thrown) {
        this.#onBug(thrown)
      }
    }
  }

  /** Of the calls records[from] to records[to - 1]. One observer after the other, so that its code stays at hand. */
  onEnd(records: readonly CallRecord[], from: number, to: number): void {
    const all = this.#onEnd
    for (let i = 0; i < all.length; i++) {
      for (let k = from; k < to; k++) {
        try {
          all[i]?.onEnd(records[k] as CallRecord)
        } catch (thrown) {
          this.#onBug(thrown)
        }
      }
    }
  }
}

function has<Name extends keyof CallObserver>(
  observer: CallObserver,
  name: Name,
): observer is CallObserver & Required<Pick<CallObserver, Name>> {
  return observer[name] !== undefined
}

/** All who observe the connections of one TCP proxy. */
export class ConnectionObservers {
  readonly #observers: readonly ConnectionObserver[]
  readonly #onBug: (thrown: unknown) => void

  constructor(observers: readonly ConnectionObserver[], onBug: (thrown: unknown) => void) {
    this.#observers = observers
    this.#onBug = onBug
  }

  tell(event: keyof ConnectionObserver, record: ConnectionRecord): void {
    for (const observer of this.#observers) {
      try {
        observer[event]?.(record)
      } catch (thrown) {
        this.#onBug(thrown)
      }
    }
  }
}
