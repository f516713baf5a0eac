import { parseDurationMs } from '../../crds/duration.ts'
import type { BinaryOperator, Node } from './ast.ts'
import { ExpressionError } from './error.ts'
import { type Token, tokenize } from './lexer.ts'

/** Longer expressions, and deeper ones, are refused. */
export const MAX_LENGTH = 16_384
const MAX_DEPTH = 100

/** Go's precedence, as far as the language has its operators. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '|': 4,
}

/**
 * Reads an expression. The grammar is the part of Go's that Mixer takes, which parsed its expressions with Go's own parser: so `|`
 * binds as `+` does, tighter than `==`. Throws an ExpressionError.
 */
export function parse(text: string): Node {
  if (text.length > MAX_LENGTH) throw new ExpressionError(1, `longer than ${MAX_LENGTH} characters`)
  const parser = new Parser(tokenize(text))
  const node = parser.binary(1, 0)
  parser.end()
  return node
}

class Parser {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get #token(): Token {
    return this.#tokens[this.#next] as Token
  }

  end(): void {
    const token = this.#token
    if (token.kind !== 'end') throw this.#unexpected(token)
  }

  binary(minimum: number, depth: number): Node {
    if (depth > MAX_DEPTH) throw new ExpressionError(this.#token.at, `deeper than ${MAX_DEPTH}`)
    let left = this.#postfix(depth)
    for (;;) {
      const { kind, text, at } = this.#token
      const precedence = kind === 'operator' ? PRECEDENCE[text] : undefined
      if (precedence === undefined || precedence < minimum) return left
      this.#next++
      const right = this.binary(precedence + 1, depth + 1)
      left = { kind: 'binary', operator: text as BinaryOperator, left, right, at }
    }
  }

  #postfix(depth: number): Node {
    let node = this.#primary(depth)
    for (;;) {
      if (this.#takes('[')) {
        const { at } = this.#token
        const key = this.binary(1, depth + 1)
        this.#expect(']')
        node = { kind: 'index', map: node, key, at }
      } else if (this.#takes('.')) {
        node = this.#method(node, this.#name(), depth)
      } else return node
    }
  }

  #primary(depth: number): Node {
    const token = this.#token
    const { kind, text, value, at } = token
    switch (kind) {
      case 'int':
        this.#next++
        return { kind: 'literal', type: 'INT64', value, text, at }
      case 'float':
        this.#next++
        return { kind: 'literal', type: 'DOUBLE', value, text, at }
      case 'string':
        this.#next++
        return stringLiteral(value as string, at)
      case 'name':
        return this.#named(depth)
      default:
        if (!this.#takes('(')) throw this.#unexpected(token)
    }
    const inner = this.binary(1, depth + 1)
    this.#expect(')')
    return inner
  }

  /** An attribute, true, false, a function, or a method of an attribute. */
  #named(depth: number): Node {
    const first = this.#name()
    const { at } = first
    let name = first.text
    if (this.#at('(')) return this.#call(name, undefined, at, depth)
    if ((name === 'true' || name === 'false') && !this.#at('.')) {
      return { kind: 'literal', type: 'BOOL', value: name === 'true', text: name, at }
    }
    while (this.#takes('.')) {
      const next = this.#name()
      if (this.#at('(')) return this.#method({ kind: 'attribute', name, at }, next, depth)
      name += `.${next.text}`
    }
    return { kind: 'attribute', name, at }
  }

  #method(target: Node, name: Token, depth: number): Node {
    if (!this.#at('(')) throw new ExpressionError(name.at, `"${name.text}" is no method: its arguments are missing`)
    return this.#call(name.text, target, name.at, depth)
  }

  #call(name: string, target: Node | undefined, at: number, depth: number): Node {
    this.#expect('(')
    const args: Node[] = []
    if (!this.#takes(')')) {
      do {
        args.push(this.binary(1, depth + 1))
      } while (this.#takes(','))
      this.#expect(')')
    }
    return { kind: 'call', name, target, args, at }
  }

  #name(): Token {
    const token = this.#token
    if (token.kind !== 'name') throw this.#unexpected(token, 'a name')
    this.#next++
    return token
  }

  #at(operator: string): boolean {
    const token = this.#token
    return token.kind === 'operator' && token.text === operator
  }

  #takes(operator: string): boolean {
    if (!this.#at(operator)) return false
    this.#next++
    return true
  }

  #expect(operator: string): void {
    if (!this.#takes(operator)) throw this.#unexpected(this.#token, `"${operator}"`)
  }

  #unexpected({ kind, text, value, at }: Token, wanted?: string): ExpressionError {
    const instead = wanted === undefined ? '' : `, ${wanted} was expected`
    if (kind === 'end') return new ExpressionError(at, `the expression ends too early${instead}`)
    if (kind === 'operator' && !(text in PRECEDENCE) && !'()[].,'.includes(text)) {
      return new ExpressionError(at, `the language has no "${text}"`)
    }
    const found = kind === 'string' ? JSON.stringify(value) : `"${text}"`
    return new ExpressionError(at, `${found} cannot stand here${instead}`)
  }
}

/** A text that is a duration in Go's notation is one, as in Mixer; where text is wanted it is text all the same. */
function stringLiteral(text: string, at: number): Node {
  const durationMs = parseDurationMs(text)
  if (durationMs === undefined) return { kind: 'literal', type: 'STRING', value: text, text, at }
  return { kind: 'literal', type: 'DURATION', value: durationMs, text, at }
}
