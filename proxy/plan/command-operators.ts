/** An operator of a format, `%NAME(args):length%`, as it is written. */
export interface CommandOperator {
  readonly name: string
  readonly args: string
  /** Characters that are left of its value; undefined for all. */
  readonly length: number | undefined
  /** Where it begins in the text. */
  readonly at: number
}

/**
 * The literals and operators of a format (envoy access log, "Command operators"), in order and one at a time, so that the first that is
 * wrong is told of; `%%` is a percent sign. `pattern` matches one operator where it is asked to (`y`), with name, arguments and length
 * as groups. `onUnknown` is called with the place of a percent sign that begins none.
 */
export function* splitFormat(
  text: string,
  pattern: RegExp,
  onUnknown: (at: number) => never,
): Generator<string | CommandOperator> {
  let literal = ''
  for (let at = 0; at < text.length; ) {
    if (text[at] !== '%') {
      const next = text.indexOf('%', at)
      const end = next < 0 ? text.length : next
      literal += text.slice(at, end)
      at = end
      continue
    }
    if (text[at + 1] === '%') {
      literal += '%'
      at += 2
      continue
    }
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) return onUnknown(at)
    const [whole, name = '', args = '', length] = found
    if (literal !== '') yield literal
    literal = ''
    yield { name, args, length: length === undefined ? undefined : Number(length), at }
    at += whole.length
  }
  if (literal !== '') yield literal
}
