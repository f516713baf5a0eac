import type { Socket } from 'node:net'
import type { TcpProbePlan } from '../../plan/health-check-plan.ts'
import { containsInOrder } from './payload.ts'
import type { Probe, ProbeOwner, ProbeTarget } from './probe.ts'

/** Of an answer; what is longer and has no match is none. */
const MAX_ANSWER_BYTES = 64 * 1024

/** Connects, and perhaps says something and listens for something. */
export class TcpProbe implements Probe {
  readonly #plan: TcpProbePlan
  readonly #target: ProbeTarget
  readonly #owner: ProbeOwner
  #socket: Socket | undefined
  #received = Buffer.alloc(0)

  constructor(plan: TcpProbePlan, target: ProbeTarget, owner: ProbeOwner) {
    this.#plan = plan
    this.#target = target
    this.#owner = owner
  }

  ask(): void {
    this.#received = Buffer.alloc(0)
    if (this.#socket === undefined) this.#connect()
    else this.#send(this.#socket)
  }

  #connect(): void {
    const socket = this.#target.connect()
    this.#socket = socket
    socket.once(this.#target.isTls ? 'secureConnect' : 'connect', () => {
      if (this.#socket === socket) this.#send(socket)
    })
    socket.on('data', (chunk: Buffer) => {
      if (this.#socket === socket) this.#onData(chunk)
    })
    socket.on('error', () => {})
    // Also between two checks: the host is no longer what it was.
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#owner.onResult('network')
    })
    socket.unref()
  }

  #send(socket: Socket): void {
    const { send, receive } = this.#plan
    if (send !== undefined) socket.write(send)
    if (receive.length > 0) return
    // That it connects is all that is asked.
    this.#drop()
    this.#owner.onResult('healthy')
  }

  #onData(chunk: Buffer): void {
    if (this.#received.length >= MAX_ANSWER_BYTES) return
    this.#received = Buffer.concat([this.#received, chunk])
    if (!containsInOrder(this.#plan.receive, this.#received)) return
    this.#received = Buffer.alloc(0)
    if (!this.#target.reusesConnection) this.#drop()
    this.#owner.onResult('healthy')
  }

  #drop(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
  }

  giveUp(): void {
    this.#drop()
  }

  close(): void {
    this.#drop()
  }
}
