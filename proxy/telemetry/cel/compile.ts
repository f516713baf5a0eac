import { parse } from '@bufbuild/cel'
import { errorText } from '../../../lib/errors.ts'
import { compileSafeRegex } from '../../../lib/safe-regex.ts'
import { NO_NODE, type NodeFacts } from '../../node-facts.ts'
import { refuse } from '../../plan/plan-error.ts'
import { ANSWER_FIELDS, ATTRIBUTES, type Attribute, type Subject } from './attributes.ts'
import { type CelFunction, FUNCTIONS } from './functions.ts'
import { at, Double, FAILED, isFieldMap, isPlainMap, itemsOf, keyOf } from './value.ts'

/** A compiled expression of CEL (github.com/google/cel-spec) over a call or a connection. */
export interface CelExpression {
  /** Fields of answers that it reads, lower-case: an observer names them in its own `responseFields`. */
  readonly responseFields: readonly string[]
  /**
   * Its value: boolean, string, number, bytes, null, a list, a map, or the module's Timestamp or Duration. undefined where it
   * fails, as by a key that is not there; a filter does not match then.
   */
  evaluate(subject: Subject, node?: NodeFacts): unknown
}

/** More attributes than Envoy's own, by their dotted names. */
export type MoreAttributes = Readonly<Record<string, Attribute>>

type Expr = NonNullable<ReturnType<typeof parse>['expr']>
type Evaluate = (subject: Subject, node: NodeFacts) => unknown

const MAX_LENGTH = 4096
const RESPONSE_HEADERS = 'response.headers'

/** Throws a PlanError that names `path` for what is no expression, or calls what there is not. */
export function compileCel(text: string, path: string, more: MoreAttributes = {}): CelExpression {
  if (text.length > MAX_LENGTH)
    refuse(path, `the expression has ${text.length} characters, at most ${MAX_LENGTH} are allowed`)
  const compiler = new Compiler(path, more)
  const evaluate = compiler.compile(parsed(text, path))
  return {
    responseFields: [...compiler.responseFields],
    evaluate(subject, node = NO_NODE) {
      const value = evaluate(subject, node)
      if (value === FAILED) return undefined
      return value instanceof Double ? value.value : value
    },
  }
}

function parsed(text: string, path: string): Expr {
  try {
    const { expr } = parse(text)
    if (expr !== undefined) return expr
  } catch (thrown) {
    refuse(path, `no expression of CEL: ${errorText(thrown)}`)
  }
  return refuse(path, 'no expression of CEL')
}

/** A variable of a comprehension. Evaluation never waits, so one place for each is enough. */
interface Variable {
  value: unknown
}

class Compiler {
  readonly responseFields = new Set<string>()
  readonly #path: string
  readonly #attributes: MoreAttributes
  readonly #variables = new Map<string, Variable>()

  constructor(path: string, more: MoreAttributes) {
    this.#path = path
    this.#attributes = { ...ATTRIBUTES, ...more }
  }

  compile(expr: Expr): Evaluate {
    const { exprKind: kind } = expr
    switch (kind.case) {
      case 'constExpr':
        return constant(this.#literal(kind.value.constantKind))
      case 'identExpr':
        return this.#identifier(kind.value.name)
      case 'selectExpr':
        return this.#select(this.#operand(kind.value.operand), kind.value.field, kind.value.testOnly)
      case 'callExpr': {
        const { function: name, target, args } = kind.value
        return this.#call(name, target === undefined ? args : [target, ...args], target !== undefined)
      }
      case 'listExpr':
        return list(kind.value.elements.map((element) => this.compile(element)))
      case 'structExpr':
        return this.#map(kind.value)
      case 'comprehensionExpr':
        return this.#comprehension(kind.value)
      default:
        return refuse(this.#path, 'an expression of CEL that is not known')
    }
  }

  #operand(expr: Expr | undefined): Expr {
    return expr ?? refuse(this.#path, 'an expression of CEL lacks an operand')
  }

  #literal({ case: kind, value }: { case?: string | undefined; value?: unknown }): unknown {
    if (kind === 'doubleValue') return new Double(value as number)
    if (kind === 'nullValue') return null
    if (typeof value !== 'bigint') return value
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : refuse(this.#path, `${value} is more than integers hold here`)
  }

  #identifier(name: string): Evaluate {
    const variable = this.#variables.get(name)
    if (variable !== undefined) return () => variable.value
    // `request` and the like stand for nothing alone; what nobody knows fails, as in Envoy.
    return this.#attribute(name) ?? constant(FAILED)
  }

  /** `a.b.c` of an expression that is nothing but names, else undefined. */
  #dotted(expr: Expr): string | undefined {
    const { exprKind: kind } = expr
    if (kind.case === 'identExpr') return this.#variables.has(kind.value.name) ? undefined : kind.value.name
    if (kind.case !== 'selectExpr' || kind.value.testOnly || kind.value.operand === undefined) return undefined
    const prefix = this.#dotted(kind.value.operand)
    return prefix === undefined ? undefined : `${prefix}.${kind.value.field}`
  }

  #attribute(name: string): Evaluate | undefined {
    if (!Object.hasOwn(this.#attributes, name)) return undefined
    const read = this.#attributes[name] as Attribute
    for (const field of ANSWER_FIELDS[name] ?? []) this.responseFields.add(field)
    return (subject, node) => read(subject, node) ?? FAILED
  }

  #select(operand: Expr, field: string, testOnly: boolean): Evaluate {
    const prefix = this.#dotted(operand)
    const name = prefix === undefined ? undefined : `${prefix}.${field}`
    const attribute = name === undefined ? undefined : this.#attribute(name)
    if (attribute !== undefined) {
      if (testOnly) return (subject, node) => attribute(subject, node) !== FAILED
      if (name === RESPONSE_HEADERS) this.#refuseBareHeaders()
      return attribute
    }
    if (prefix === RESPONSE_HEADERS) this.responseFields.add(field.toLowerCase())
    const container = prefix === RESPONSE_HEADERS ? this.#responseHeaders() : this.compile(operand)
    if (!testOnly) return (subject, node) => at(container(subject, node), field)
    return (subject, node) => {
      const map = container(subject, node)
      return isFieldMap(map) || isPlainMap(map) ? at(map, field) !== FAILED : FAILED
    }
  }

  #responseHeaders(): Evaluate {
    return this.#attribute(RESPONSE_HEADERS) as Evaluate
  }

  #refuseBareHeaders(): never {
    return refuse(this.#path, `${RESPONSE_HEADERS} is asked for by names that are written out, as ["x-name"]`)
  }

  #call(name: string, operands: readonly Expr[], isMethod: boolean): Evaluate {
    const [first, second, third] = operands
    if (first === undefined) return refuse(this.#path, `no function ${name}() of CEL`)
    if (name === '_||_' || name === '_&&_') return this.#logic(name === '_||_', operands)
    if (name === '!_') return not(this.compile(first))
    if (name === '_?_:_') return this.#conditional(first, this.#operand(second), this.#operand(third))
    if (name === '@not_strictly_false') return notStrictlyFalse(this.compile(first))
    if (name === 'matches' && operands.length === 2) return this.#matches(first, this.#operand(second))
    if (name === '_[_]' || name === '@in') return this.#lookUp(name, first, this.#operand(second))
    if (!Object.hasOwn(FUNCTIONS, name)) return refuse(this.#path, `no function ${name}() of CEL`)
    const apply = FUNCTIONS[name] as CelFunction
    if (apply.length !== operands.length) {
      const wanted = apply.length - (isMethod ? 1 : 0)
      return refuse(this.#path, `${name}() takes ${wanted} operands, not ${operands.length - (isMethod ? 1 : 0)}`)
    }
    const a = this.compile(first)
    if (second === undefined) return unary(apply, a)
    return binary(apply, a, this.compile(second))
  }

  /** One operand that decides is enough, though the other fails. */
  #logic(decisive: boolean, operands: readonly Expr[]): Evaluate {
    return operands
      .map((operand) => this.compile(operand))
      .reduce((left, right) => (subject, node) => {
        const a = left(subject, node)
        if (a === decisive) return decisive
        const b = right(subject, node)
        if (b === decisive) return decisive
        return a === !decisive && b === !decisive ? !decisive : FAILED
      })
  }

  #conditional(test: Expr, then: Expr, otherwise: Expr): Evaluate {
    const [condition, whenTrue, whenFalse] = [this.compile(test), this.compile(then), this.compile(otherwise)]
    return (subject, node) => {
      const holds = condition(subject, node)
      if (typeof holds !== 'boolean') return FAILED
      return holds ? whenTrue(subject, node) : whenFalse(subject, node)
    }
  }

  #matches(text: Expr, pattern: Expr): Evaluate {
    const { exprKind: kind } = pattern
    const literal = kind.case === 'constExpr' ? kind.value.constantKind : undefined
    if (literal?.case !== 'stringValue') return refuse(this.#path, 'matches() takes a pattern that is written out')
    const result = compileSafeRegex(literal.value)
    if (!result.ok) return refuse(this.#path, `matches(): ${result.error}`)
    const { regex } = result
    const value = this.compile(text)
    return (subject, node) => {
      const found = value(subject, node)
      return typeof found === 'string' ? regex.search(found) : FAILED
    }
  }

  /** `a[b]` and `a in b`; of an answer's fields only those are kept that are named here. */
  #lookUp(name: '_[_]' | '@in', first: Expr, second: Expr): Evaluate {
    const [container, key] = name === '_[_]' ? [first, second] : [second, first]
    const apply = FUNCTIONS[name] as CelFunction
    if (this.#dotted(container) !== RESPONSE_HEADERS) return binary(apply, this.compile(first), this.compile(second))
    const { exprKind: kind } = key
    const literal = kind.case === 'constExpr' ? kind.value.constantKind : undefined
    if (literal?.case !== 'stringValue') return this.#refuseBareHeaders()
    this.responseFields.add(literal.value.toLowerCase())
    const [map, constantKey] = [this.#responseHeaders(), constant(literal.value)]
    return name === '_[_]' ? binary(apply, map, constantKey) : binary(apply, constantKey, map)
  }

  #map({ messageName, entries }: Extract<Expr['exprKind'], { case: 'structExpr' }>['value']): Evaluate {
    if (messageName !== '') return refuse(this.#path, `no message ${messageName} is made here`)
    const compiled = entries.map(({ keyKind, value }) => {
      if (keyKind.case !== 'mapKey') return refuse(this.#path, 'a map of CEL lacks a key')
      return { key: this.compile(keyKind.value), value: this.compile(this.#operand(value)) }
    })
    return (subject, node) => {
      const map: [string, unknown][] = []
      for (const { key, value } of compiled) {
        const name = keyOf(key(subject, node))
        const item = value(subject, node)
        if (name === undefined || item === FAILED) return FAILED
        map.push([name, item])
      }
      return Object.fromEntries(map)
    }
  }

  #comprehension(loop: Extract<Expr['exprKind'], { case: 'comprehensionExpr' }>['value']): Evaluate {
    const range = this.compile(this.#operand(loop.iterRange))
    const start = this.compile(this.#operand(loop.accuInit))
    const [item, result]: [Variable, Variable] = [{ value: undefined }, { value: undefined }]
    const [itemBefore, resultBefore] = [this.#variables.get(loop.iterVar), this.#variables.get(loop.accuVar)]
    this.#variables.set(loop.accuVar, result)
    const outcome = this.compile(this.#operand(loop.result))
    this.#variables.set(loop.iterVar, item)
    const goesOn = this.compile(this.#operand(loop.loopCondition))
    const step = this.compile(this.#operand(loop.loopStep))
    this.#restore(loop.iterVar, itemBefore)
    this.#restore(loop.accuVar, resultBefore)
    return (subject, node) => {
      const items = itemsOf(range(subject, node))
      if (items === undefined) return FAILED
      result.value = start(subject, node)
      for (const one of items) {
        if (goesOn(subject, node) !== true) break
        item.value = one
        result.value = step(subject, node)
      }
      return outcome(subject, node)
    }
  }

  #restore(name: string, variable: Variable | undefined): void {
    if (variable === undefined) this.#variables.delete(name)
    else this.#variables.set(name, variable)
  }
}

function constant(value: unknown): Evaluate {
  return () => value
}

function unary(apply: CelFunction, operand: Evaluate): Evaluate {
  return (subject, node) => {
    const a = operand(subject, node)
    return a === FAILED ? FAILED : apply(a)
  }
}

function binary(apply: CelFunction, left: Evaluate, right: Evaluate): Evaluate {
  return (subject, node) => {
    const a = left(subject, node)
    if (a === FAILED) return FAILED
    const b = right(subject, node)
    return b === FAILED ? FAILED : apply(a, b)
  }
}

function not(operand: Evaluate): Evaluate {
  return (subject, node) => {
    const value = operand(subject, node)
    return typeof value === 'boolean' ? !value : FAILED
  }
}

function notStrictlyFalse(operand: Evaluate): Evaluate {
  return (subject, node) => operand(subject, node) !== false
}

function list(elements: readonly Evaluate[]): Evaluate {
  return (subject, node) => {
    const values: unknown[] = []
    for (const element of elements) {
      const value = element(subject, node)
      if (value === FAILED) return FAILED
      values.push(value)
    }
    return values
  }
}
