import type { Clock, Timer } from './clock.ts'

/** Something that can wait on a wheel. Its fields belong to the wheel; embed one and reuse it, nothing is allocated. */
export class WheelTimer {
  /** @internal */ next: WheelTimer | undefined = undefined
  /** @internal */ previous: WheelTimer | undefined = undefined
  /** @internal */ dueTick = -1
  readonly #onDue: () => void

  constructor(onDue: () => void) {
    this.#onDue = onDue
  }

  get armed(): boolean {
    return this.dueTick >= 0
  }

  /** @internal */
  fire(): void {
    this.#onDue()
  }
}

const SLOTS = 512
/** So many ticks in which nobody looked at the wheel send it to sleep. */
const TICKS_UNTIL_SLEEP = 50

/**
 * One coarse timer for everything on the data path: arming and disarming cost a few stores, and one clock timer runs
 * while anything is armed. A timer fires at the first tick at or after its due time, so up to one tick late and never
 * early. A wheel that nobody uses sleeps until a timer is due: a proxy whose connections are idle does not wake a hundred
 * times a second to find that they are.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #slots: WheelTimer[] = []
  readonly #onTickBound = () => this.#onTick()
  #armed = 0
  #currentTick: number
  #clockTimer: Timer | undefined
  /** Ticks since it was last used. */
  #unused = 0
  /** The tick at which it wakes by itself; no slot before it has a timer. 0 while it does not sleep. */
  #sleepsUntil = 0

  constructor(clock: Clock, tickMs = 10) {
    this.#clock = clock
    this.#tickMs = tickMs
    this.#currentTick = this.#tickNow()
    for (let i = 0; i < SLOTS; i++) {
      const head = new WheelTimer(() => {})
      head.next = head
      head.previous = head
      this.#slots.push(head)
    }
  }

  /** The time of the last tick: good enough to tell how long something has been idle, and free. */
  get coarseNowMs(): number {
    this.#use()
    return this.#currentTick * this.#tickMs
  }

  /** The time now, read from the clock. */
  nowMs(): number {
    return this.#clock.nowMs()
  }

  get armedCount(): number {
    return this.#armed
  }

  /** (Re)arms `timer` to fire once, `delayMs` from now. */
  arm(timer: WheelTimer, delayMs: number): void {
    if (timer.dueTick >= 0) this.#unlink(timer)
    this.#use()
    if (this.#armed === 0) this.#currentTick = this.#tickNow()
    const due = Math.ceil((this.#clock.nowMs() + delayMs) / this.#tickMs)
    timer.dueTick = due > this.#currentTick ? due : this.#currentTick + 1
    const head = this.#slots[timer.dueTick % SLOTS] as WheelTimer
    const last = head.previous as WheelTimer
    last.next = timer
    timer.previous = last
    timer.next = head
    head.previous = timer
    this.#armed++
    if (this.#clockTimer === undefined) this.#tickIn(1)
  }

  disarm(timer: WheelTimer): void {
    if (timer.dueTick >= 0) this.#unlink(timer)
  }

  #unlink(timer: WheelTimer): void {
    const previous = timer.previous as WheelTimer
    const next = timer.next as WheelTimer
    previous.next = next
    next.previous = previous
    timer.next = undefined
    timer.previous = undefined
    timer.dueTick = -1
    this.#armed--
  }

  #tickNow(): number {
    return Math.floor(this.#clock.nowMs() / this.#tickMs)
  }

  #tickIn(ticks: number): void {
    this.#clockTimer = this.#clock.setTimer(ticks * this.#tickMs, this.#onTickBound)
  }

  #onTick(): void {
    this.#clockTimer = undefined
    this.#sleepsUntil = 0
    const target = this.#tickNow()
    // A long pause must not walk the wheel more than once round: every slot is then visited, each once.
    const from = Math.max(this.#currentTick + 1, target - SLOTS + 1)
    // Before what is due is told: it may ask what time it is.
    this.#currentTick = Math.max(this.#currentTick, target)
    for (let tick = from; tick <= target; tick++) this.#runSlot(this.#slots[tick % SLOTS] as WheelTimer, target)
    if (this.#armed === 0 || this.#clockTimer !== undefined) return
    if (++this.#unused < TICKS_UNTIL_SLEEP) this.#tickIn(1)
    else this.#sleep()
  }

  #use(): void {
    this.#unused = 0
    if (this.#sleepsUntil > 0) this.#wake()
  }

  #sleep(): void {
    let ticks = 1
    while (ticks < SLOTS && isEmpty(this.#slots[(this.#currentTick + ticks) % SLOTS] as WheelTimer)) ticks++
    this.#sleepsUntil = this.#currentTick + ticks
    this.#tickIn(ticks)
  }

  #wake(): void {
    const now = this.#tickNow()
    const last = this.#sleepsUntil - 1
    this.#sleepsUntil = 0
    // What is due by now is left to the next tick.
    this.#currentTick = Math.min(now, last)
    // The wheel wakes by itself within a tick: to begin anew would make what is due then late by one more.
    if (now >= last) return
    this.#clockTimer?.cancel()
    this.#tickIn(1)
  }

  /** Fires what is due. A callback may arm and disarm any timer, so the walk restarts after each. */
  #runSlot(head: WheelTimer, target: number): void {
    let timer = head.next as WheelTimer
    while (timer !== head) {
      if (timer.dueTick > target) {
        timer = timer.next as WheelTimer
        continue
      }
      this.#unlink(timer)
      timer.fire()
      timer = head.next as WheelTimer
    }
  }
}

function isEmpty(head: WheelTimer): boolean {
  return head.next === head
}
