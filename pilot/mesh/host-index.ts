import { isWildcard } from '../../config/hosts.ts'

/** Values by host, found by the most specific host that covers a name: itself, the longest wildcard, `*`. */
export class HostIndex<T> {
  readonly #byHost = new Map<string, T[]>()

  add(host: string, value: T): void {
    const found = this.#byHost.get(host)
    if (found === undefined) this.#byHost.set(host, [value])
    else found.push(value)
  }

  /** What was added under exactly this host, in order. */
  at(host: string): readonly T[] {
    return this.#byHost.get(host) ?? []
  }

  /** The values of the most specific host that covers `name`, for which `accept` takes at least one. */
  lookup(name: string, accept: (value: T) => boolean = () => true): readonly T[] {
    for (const host of coveringHosts(name)) {
      const found = this.#byHost.get(host)?.filter(accept)
      if (found !== undefined && found.length > 0) return found
    }
    return []
  }

  get hosts(): Iterable<string> {
    return this.#byHost.keys()
  }
}

/** `a.b.c`, `*.b.c`, `*.c`, `*`: from the most specific. */
function* coveringHosts(name: string): Iterable<string> {
  yield name
  const bare = isWildcard(name) ? name.slice(1) : name
  for (let dot = bare.indexOf('.'); dot >= 0; dot = bare.indexOf('.', dot + 1)) {
    const wildcard = `*${bare.slice(dot)}`
    if (wildcard !== name) yield wildcard
  }
  if (name !== '*') yield '*'
}
