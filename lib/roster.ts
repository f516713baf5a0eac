/** What one roster at a time can hold. */
export interface RosterMember {
  /** Owned by the roster: where the member stands, -1 when in none. */
  rosterIndex: number
}

/**
 * Members that come and go often, in no order, such as open connections.
 *
 * A Set is not for them: each time it is laid out anew, its old table goes on pointing to the new one and to those who were
 * members then. Once one old table has been promoted to V8's old generation, every later one survives through it with all
 * that it points to, until the next full collection: closed connections were kept by the thousand, and copied around.
 */
export class Roster<Member extends RosterMember> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  add(member: Member): void {
    if (member.rosterIndex >= 0) return
    member.rosterIndex = this.#members.length
    this.#members.push(member)
  }

  /** False for one that is not in it. */
  delete(member: Member): boolean {
    const members = this.#members
    const at = member.rosterIndex
    if (members[at] !== member) return false
    const last = members.pop() as Member
    if (last !== member) {
      members[at] = last
      last.rosterIndex = at
    }
    member.rosterIndex = -1
    return true
  }

  /** Those who are members now, whoever leaves meanwhile. */
  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.slice().values()
  }
}
