import type { RequestHead } from '../stream/message.ts'

/** Reads one cookie at a time, the way Envoy does (Http::Utility::parseCookieValue). */
export class CookieFinder {
  #name = ''
  #value = ''

  /** The first value of that name, without quotes around it; '' when there is none. */
  find(head: RequestHead, name: string): string {
    this.#name = name
    this.#value = ''
    head.anyValue('cookie', this)
    return this.#value
  }

  /** @internal Whether the cookie is in this field. */
  test(field: string): boolean {
    const name = this.#name
    let start = 0
    while (start < field.length) {
      let end = field.indexOf(';', start)
      if (end < 0) end = field.length
      let from = start
      while (field.charCodeAt(from) === SPACE) from++
      const equals = from + name.length
      if (equals < end && field.charCodeAt(equals) === EQUALS && field.startsWith(name, from)) {
        this.#value = unquoted(field, equals + 1, end)
        return true
      }
      start = end + 1
    }
    return false
  }
}

const SPACE = 32
const EQUALS = 61
const QUOTE = 34

function unquoted(field: string, from: number, to: number): string {
  const isQuoted = to - from >= 2 && field.charCodeAt(from) === QUOTE && field.charCodeAt(to - 1) === QUOTE
  return isQuoted ? field.slice(from + 1, to - 1) : field.slice(from, to)
}
