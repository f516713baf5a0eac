import type { Socket } from 'node:net'
import type { Roster, RosterMember } from '../../lib/roster.ts'
import { connectionCheck, readConnectionAnswer } from '../filters/network/ext-authz/check.ts'
import type { ConnectionJudgement } from '../filters/network/judgement.ts'
import type { StreamContext } from '../stream/context.ts'
import { SideCall } from '../stream/side-call.ts'

/**
 * A connection about which servers are asked before anything is done for it. It is not read meanwhile, so that no more of it is
 * held than the kernel does. A connection that is denied is closed without a word.
 */
export class AskingConnection implements RosterMember {
  rosterIndex = -1
  readonly #socket: Socket
  readonly #judgement: ConnectionJudgement
  readonly #context: StreamContext
  readonly #all: Roster<AskingConnection>
  readonly #onAllowed: () => void
  #call: SideCall | undefined
  #isOver = false

  constructor(
    socket: Socket,
    judgement: ConnectionJudgement,
    context: StreamContext,
    all: Roster<AskingConnection>,
    onAllowed: () => void,
  ) {
    this.#socket = socket
    this.#judgement = judgement
    this.#context = context
    this.#all = all
    this.#onAllowed = onAllowed
  }

  start(): void {
    const socket = this.#socket
    this.#all.add(this)
    socket.pause()
    socket.on('error', ignore)
    socket.once('close', this.#onClose)
    this.#ask()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #ask(): void {
    const { asks, facts, verdict } = this.#judgement
    if (asks === undefined) {
      this.#end()
      if (verdict === 'deny') this.#socket.destroy()
      else this.#onAllowed()
      return
    }
    const active = this.#context.metrics.gauge(`${asks.statPrefix}active`)
    active.inc()
    let isAnswered = false
    const call = SideCall.send(connectionCheck(asks, facts), this.#context, (result) => {
      isAnswered = true
      active.dec()
      this.#call = undefined
      if (this.#isOver || this.#socket.destroyed) return
      try {
        this.#judgement.resume(readConnectionAnswer(result))
        this.#ask()
      } catch (thrown) {
        // Who answers must not hear of our bugs.
        this.#context.bugs.report('listener', thrown)
        this.destroy()
      }
    })
    // It may have been answered at once.
    if (!isAnswered) this.#call = call
  }

  readonly #onClose = (): void => {
    const { asks } = this.#judgement
    if (this.#call !== undefined && asks !== undefined) {
      this.#call.cancel()
      this.#context.metrics.gauge(`${asks.statPrefix}active`).dec()
    }
    this.#end()
  }

  #end(): void {
    this.#isOver = true
    this.#call = undefined
    this.#all.delete(this)
    this.#socket.off('close', this.#onClose)
  }
}

/** A reset is followed by `close`, where everything is cleaned up. */
function ignore(): void {}
