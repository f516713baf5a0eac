import { ExpressionError } from './error.ts'

export type TokenKind = 'name' | 'int' | 'float' | 'string' | 'operator' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Of a name or operator. */
  readonly text: string
  /** Of a literal. */
  readonly value: string | number
  /** In characters from 1. */
  readonly at: number
}

/** Longer ones first. Those that the language does not have are read too, so that the error can name them. */
const OPERATORS = [
  '&&',
  '||',
  '==',
  '!=',
  '<=',
  '>=',
  '<<',
  '>>',
  ...[
    '<',
    '>',
    '+',
    '|',
    '(',
    ')',
    '[',
    ']',
    '.',
    ',',
    '-',
    '*',
    '/',
    '%',
    '&',
    '^',
    '!',
    '{',
    '}',
    ':',
    ';',
    '=',
    '?',
  ],
]
const NAME_START = /[\p{L}_$]/u
const NAME = /[\p{L}\p{Nd}_$]*/uy
const SPACE = /[ \t\r\n]*/y
const HEX = /0[xX]([0-9a-fA-F]+)/y
const OCTAL = /0[oO]?([0-7]+)(?![.\deE])/y
const BINARY = /0[bB]([01]+)/y
const FLOAT = /(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+/y
const INT = /\d+/y

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
}
const ESCAPE_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/** The tokens of an expression, as Go's scanner reads them. Throws an ExpressionError. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = match(SPACE, text, 0)?.[0].length ?? 0
  while (at < text.length) {
    const token = readToken(text, at)
    tokens.push(token.token)
    at = token.end
    at += match(SPACE, text, at)?.[0].length ?? 0
  }
  tokens.push({ kind: 'end', text: '', value: '', at: text.length + 1 })
  return tokens
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

interface Read {
  token: Token
  end: number
}

function readToken(text: string, at: number): Read {
  const first = text[at] as string
  if (first === '"') return readString(text, at)
  if (first === '`') return readRawString(text, at)
  if (first === "'") throw new ExpressionError(at + 1, 'text stands in double quotes or backquotes')
  const code = String.fromCodePoint(text.codePointAt(at) as number)
  if (NAME_START.test(code)) {
    const name = match(NAME, text, at)?.[0] ?? code
    return { token: { kind: 'name', text: name, value: '', at: at + 1 }, end: at + name.length }
  }
  if (/\d/.test(first) || (first === '.' && /\d/.test(text[at + 1] ?? ''))) return readNumber(text, at)
  const operator = OPERATORS.find((one) => text.startsWith(one, at))
  if (operator === undefined) throw new ExpressionError(at + 1, `${JSON.stringify(code)} means nothing here`)
  return { token: { kind: 'operator', text: operator, value: '', at: at + 1 }, end: at + operator.length }
}

function readNumber(text: string, at: number): Read {
  for (const [pattern, base] of [
    [HEX, 16],
    [BINARY, 2],
    [OCTAL, 8],
  ] as const) {
    const found = match(pattern, text, at)
    if (found !== null) return integer(text, at, found[0], Number.parseInt(found[1] as string, base))
  }
  const float = match(FLOAT, text, at)?.[0]
  if (float !== undefined) {
    endsNumber(text, at + float.length)
    return { token: { kind: 'float', text: float, value: Number(float), at: at + 1 }, end: at + float.length }
  }
  const digits = match(INT, text, at)?.[0] ?? ''
  return integer(text, at, digits, Number(digits))
}

function integer(text: string, at: number, digits: string, value: number): Read {
  endsNumber(text, at + digits.length)
  if (!Number.isSafeInteger(value)) throw new ExpressionError(at + 1, `${digits} is too large`)
  return { token: { kind: 'int', text: digits, value, at: at + 1 }, end: at + digits.length }
}

function endsNumber(text: string, end: number): void {
  const next = text[end]
  if (next !== undefined && (NAME_START.test(next) || /\d/.test(next))) {
    throw new ExpressionError(end + 1, `${JSON.stringify(next)} cannot follow a number`)
  }
}

function readRawString(text: string, at: number): Read {
  const close = text.indexOf('`', at + 1)
  if (close < 0) throw new ExpressionError(at + 1, 'text without its closing backquote')
  const value = text.slice(at + 1, close).replaceAll('\r', '')
  return { token: { kind: 'string', text: '', value, at: at + 1 }, end: close + 1 }
}

function readString(text: string, at: number): Read {
  let value = ''
  let i = at + 1
  for (;;) {
    const char = text[i]
    if (char === undefined || char === '\n') throw new ExpressionError(at + 1, 'text without its closing quote')
    if (char === '"') return { token: { kind: 'string', text: '', value, at: at + 1 }, end: i + 1 }
    if (char === '\\') {
      const read = readEscape(text, i)
      value += read.value
      i = read.end
    } else {
      value += char
      i++
    }
  }
}

function readEscape(text: string, at: number): { value: string; end: number } {
  const letter = text[at + 1] ?? ''
  const simple = SIMPLE_ESCAPES[letter]
  if (simple !== undefined) return { value: simple, end: at + 2 }
  const octal = /^[0-7]{3}/.exec(text.slice(at + 1, at + 4))?.[0]
  if (octal !== undefined) return { value: String.fromCharCode(Number.parseInt(octal, 8)), end: at + 4 }
  const digits = ESCAPE_DIGITS[letter]
  if (digits !== undefined) {
    const hex = text.slice(at + 2, at + 2 + digits)
    const code = Number.parseInt(hex, 16)
    if (hex.length === digits && /^[0-9a-fA-F]+$/.test(hex) && code <= 0x10ffff) {
      return { value: String.fromCodePoint(code), end: at + 2 + digits }
    }
  }
  throw new ExpressionError(at + 1, `"\\${letter}" is no escape`)
}
