/** An attribute that an answer depends on, with the key where it is one entry of a map. */
export interface Reference {
  readonly name: string
  readonly key: string | undefined
  /** Whether it was there. Of what was not, the absence counts. */
  readonly present: boolean
}

/**
 * What was read of a bag: the key by which a caller may keep the answer. An answer holds for another call if all that was present
 * has the same values there, and all that was absent is absent (Mixer's referenced_attributes).
 */
export class References {
  readonly #found = new Map<string, Reference>()

  add(name: string, key: string | undefined, present: boolean): void {
    const text = key === undefined ? name : `${name}[${key}]`
    if (!this.#found.has(text)) this.#found.set(text, { name, key, present })
  }

  /** In the order in which they were read first. */
  all(): Reference[] {
    return [...this.#found.values()]
  }

  /** `request.headers[cookie]`, of what was there and of what was not; each sorted. */
  texts(): { present: string[]; absent: string[] } {
    const present: string[] = []
    const absent: string[] = []
    for (const [text, reference] of this.#found) (reference.present ? present : absent).push(text)
    return { present: present.sort(), absent: absent.sort() }
  }

  /** One text for all: the same for calls that read the same in the same order. */
  signature(): string {
    let text = ''
    for (const [name, { present }] of this.#found) text += present ? `+${name}\n` : `-${name}\n`
    return text
  }
}
