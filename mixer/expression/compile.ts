import { didYouMean } from '../../config/validate/suggest.ts'
import { type AttributeTypes, mapValue, type StringMap, type Value, type ValueType } from '../attributes/value.ts'
import type { BinaryOperator, Node } from './ast.ts'
import { ExpressionError } from './error.ts'
import { type Compute, Evaluation } from './evaluation.ts'
import { FUNCTION_NAMES, FUNCTIONS, type FunctionInfo } from './functions.ts'
import { normalDnsName, normalEmail, normalUri } from './names.ts'
import { parse } from './parser.ts'

/** An expression whose types fit, ready to be evaluated. */
export interface Expression {
  readonly text: string
  readonly type: ValueType
  readonly compute: Compute
}

export type ExpressionResult =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly error: ExpressionError }

/**
 * Reads an expression, checks its types against the attributes that are known, and makes one function of it. With `wanted`, its type
 * must be that.
 */
export function compileExpression(text: string, types: AttributeTypes, wanted?: ValueType): ExpressionResult {
  try {
    let compiled = compileNode(parse(text), types)
    if (wanted !== undefined) compiled = as(compiled, wanted, 'the expression')
    return { ok: true, expression: { text, type: compiled.type, compute: compiled.compute } }
  } catch (thrown) {
    if (thrown instanceof ExpressionError) return { ok: false, error: thrown }
    throw thrown
  }
}

interface Compiled {
  readonly type: ValueType
  readonly compute: Compute
  readonly at: number
  /** What it always is; undefined when that depends on the bag. */
  readonly constant: Value | undefined
  /** Of a literal that is a duration, its text. */
  readonly text?: string
}

function constant(type: ValueType, value: Value, at: number): Compiled {
  return { type, compute: () => value, at, constant: value }
}

function varying(type: ValueType, at: number, compute: Compute): Compiled {
  return { type, compute, at, constant: undefined }
}

function compileNode(node: Node, types: AttributeTypes): Compiled {
  switch (node.kind) {
    case 'literal':
      return node.type === 'DURATION'
        ? { ...constant(node.type, node.value, node.at), text: node.text }
        : constant(node.type, node.value, node.at)
    case 'attribute':
      return compileAttribute(node.name, node.at, types)
    case 'index':
      return compileIndex(node.map, node.key, node.at, types)
    case 'call':
      return compileCall(node, types)
    case 'binary':
      return compileBinary(node, types)
  }
}

function typeOf(name: string, at: number, types: AttributeTypes): ValueType {
  const type = types.get(name)
  if (type === undefined) {
    throw new ExpressionError(at, `"${name}" is no attribute${didYouMean(name, [...types.keys()])}`)
  }
  return type
}

function compileAttribute(name: string, at: number, types: AttributeTypes): Compiled {
  return varying(typeOf(name, at, types), at, (evaluation) => {
    const value = evaluation.bag.get(name)
    evaluation.note(name, undefined, value !== undefined)
    if (value === undefined) evaluation.missing = name
    return value
  })
}

function compileIndex(mapNode: Node, keyNode: Node, at: number, types: AttributeTypes): Compiled {
  const key = as(compileNode(keyNode, types), 'STRING', 'the key')
  if (mapNode.kind === 'attribute') {
    const { name } = mapNode
    isMap(typeOf(name, mapNode.at, types), mapNode.at)
    return varying('STRING', at, (evaluation) => entryOf(name, key, evaluation))
  }
  const map = compileNode(mapNode, types)
  isMap(map.type, map.at)
  return varying('STRING', at, (evaluation) => {
    const entries = map.compute(evaluation)
    if (entries === undefined) return undefined
    const wanted = key.compute(evaluation)
    if (wanted === undefined) return undefined
    const value = mapValue(entries as StringMap, wanted as string)
    if (value === undefined) evaluation.missing = `entry ${JSON.stringify(wanted)}`
    return value
  })
}

/** Of a map that the caller knows, only the entry counts. */
function entryOf(name: string, key: Compiled, evaluation: Evaluation): Value | undefined {
  const map = evaluation.bag.get(name)
  if (map === undefined) {
    evaluation.note(name, undefined, false)
    evaluation.missing = name
    return undefined
  }
  const wanted = key.compute(evaluation)
  if (wanted === undefined) return undefined
  const value = mapValue(map as StringMap, wanted as string)
  evaluation.note(name, wanted as string, value !== undefined)
  if (value === undefined) evaluation.missing = `${name}[${JSON.stringify(wanted)}]`
  return value
}

function isMap(type: ValueType, at: number): void {
  if (type !== 'STRING_MAP') throw new ExpressionError(at, `only a STRING_MAP has entries, this is a ${type}`)
}

/** The same, as a value of this type. */
function as(compiled: Compiled, type: ValueType, what: string): Compiled {
  if (compiled.type === type) return compiled
  if (type === 'STRING' && compiled.text !== undefined) return constant('STRING', compiled.text, compiled.at)
  throw new ExpressionError(compiled.at, `${what} must be a ${type}, found a ${compiled.type}`)
}

type Call = Extract<Node, { kind: 'call' }>

function compileCall(call: Call, types: AttributeTypes): Compiled {
  const { name, target, args, at } = call
  if ((name === 'conditional' || name === 'conditionalString') && target === undefined) {
    return compileConditional(call, types)
  }
  const info = FUNCTIONS.get(name)
  if (info === undefined) {
    throw new ExpressionError(at, `"${name}" is no function${didYouMean(name, FUNCTION_NAMES)}`)
  }
  if (info.target === undefined && target !== undefined) {
    throw new ExpressionError(at, `${name}() is no method: write ${name}(...)`)
  }
  if (info.target !== undefined && target === undefined) {
    throw new ExpressionError(at, `${name}() is a method: write text.${name}(...)`)
  }
  countArguments(name, args, info.args.length, at)
  const values = args.map((arg, i) =>
    as(compileNode(arg, types), info.args[i] as ValueType, `argument ${i + 1} of ${name}()`),
  )
  if (target !== undefined && info.target !== undefined) {
    values.unshift(as(compileNode(target, types), info.target, `what ${name}() is called on`))
  }
  return applied(info, values, at)
}

function countArguments(name: string, args: readonly Node[], wanted: number, at: number): void {
  if (args.length === wanted) return
  throw new ExpressionError(at, `${name}() takes ${wanted} argument${wanted === 1 ? '' : 's'}, found ${args.length}`)
}

function applied(info: FunctionInfo, values: readonly Compiled[], at: number): Compiled {
  const [first, second] = values
  // What does not depend on the bag is found out once, and what is wrong with it is an error of the expression.
  if (values.every((value) => value.constant !== undefined)) {
    const evaluation = new Evaluation({ get: () => undefined })
    const value = info.call(
      values.map((one) => one.constant as Value),
      evaluation,
    )
    if (value === undefined) throw new ExpressionError(first?.at ?? at, evaluation.failure)
    return constant(info.returns, value, at)
  }
  if (info.prepare !== undefined && first?.constant !== undefined && second !== undefined) {
    const prepared = prepare(info, first)
    return varying(info.returns, at, (evaluation) => {
      const value = second.compute(evaluation)
      return value === undefined ? undefined : prepared([value])
    })
  }
  return varying(info.returns, at, (evaluation) => {
    const computed: Value[] = []
    for (const one of values) {
      const value = one.compute(evaluation)
      if (value === undefined) return undefined
      computed.push(value)
    }
    return info.call(computed, evaluation)
  })
}

function prepare(info: FunctionInfo, first: Compiled): (values: readonly Value[]) => Value {
  try {
    return info.prepare?.(first.constant as Value) as (values: readonly Value[]) => Value
  } catch (thrown) {
    throw new ExpressionError(first.at, String(thrown))
  }
}

function compileConditional({ name, args, at }: Call, types: AttributeTypes): Compiled {
  countArguments(name, args, 3, at)
  const [condition, first, second] = args.map((arg) => compileNode(arg, types)) as [Compiled, Compiled, Compiled]
  const test = as(condition, 'BOOL', `argument 1 of ${name}()`).compute
  const isString = name === 'conditionalString'
  const [left, right] = isString
    ? [as(first, 'STRING', `argument 2 of ${name}()`), as(second, 'STRING', `argument 3 of ${name}()`)]
    : alike(first, second, `the values of ${name}()`, at)
  return varying(left.type, at, (evaluation) => {
    const value = test(evaluation)
    return value === undefined ? undefined : value ? left.compute(evaluation) : right.compute(evaluation)
  })
}

/** Both as values of one type. */
function alike(left: Compiled, right: Compiled, what: string, at: number): [Compiled, Compiled] {
  if (left.type === right.type) return [left, right]
  if (left.type === 'STRING' && right.text !== undefined) return [left, as(right, 'STRING', what)]
  if (right.type === 'STRING' && left.text !== undefined) return [as(left, 'STRING', what), right]
  throw new ExpressionError(at, `${what} must be of one type, found ${left.type} and ${right.type}`)
}

const ORDERED: ReadonlySet<ValueType> = new Set(['INT64', 'DOUBLE', 'STRING', 'TIMESTAMP', 'DURATION'])
const ADDED: ReadonlySet<ValueType> = new Set(['STRING', 'INT64', 'DOUBLE'])

type Binary = Extract<Node, { kind: 'binary' }>

function compileBinary(node: Binary, types: AttributeTypes): Compiled {
  const { operator, at } = node
  const first = compileNode(node.left, types)
  const second = compileNode(node.right, types)
  if (operator === '&&' || operator === '||') {
    const left = as(first, 'BOOL', `the left side of ${operator}`).compute
    const right = as(second, 'BOOL', `the right side of ${operator}`).compute
    const decides = operator === '||'
    return varying('BOOL', at, (evaluation) => {
      const value = left(evaluation)
      return value === undefined || value === decides ? value : right(evaluation)
    })
  }
  const [left, right] = alike(first, second, `the sides of ${operator}`, at)
  const { type } = left
  switch (operator) {
    case '|':
      return varying(type, at, (evaluation) => {
        const value = left.compute(evaluation)
        return value === undefined && evaluation.failure === '' ? right.compute(evaluation) : value
      })
    case '+':
      if (!ADDED.has(type)) throw new ExpressionError(at, `+ does not add values of type ${type}`)
      return both('+', type, left, right, at, (a, b) => (a as number) + (b as number))
    case '==':
    case '!=':
      return compileEqual(operator, left, right, at)
    default:
      if (!ORDERED.has(type)) throw new ExpressionError(at, `${operator} does not order values of type ${type}`)
      return both(operator, 'BOOL', left, right, at, COMPARE[operator])
  }
}

type Combine = (a: Value, b: Value) => Value | undefined

/** Texts are ordered by their code units, which for what is in Unicode's first plane is Go's order of bytes. */
const COMPARE: Readonly<Record<'<' | '<=' | '>' | '>=', Combine>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

const NORMAL: Partial<Record<ValueType, (text: string) => string | undefined>> = {
  DNS_NAME: normalDnsName,
  EMAIL_ADDRESS: normalEmail,
  URI: normalUri,
}

function compileEqual(operator: '==' | '!=', left: Compiled, right: Compiled, at: number): Compiled {
  const { type } = left
  if (type === 'STRING_MAP') throw new ExpressionError(at, `${operator} does not compare values of type STRING_MAP`)
  const equal = operator === '=='
  const normal = NORMAL[type]
  if (normal === undefined) return both(operator, 'BOOL', left, right, at, (a, b) => (a === b) === equal)
  return both(operator, 'BOOL', left, right, at, (a, b) => {
    const one = normal(a as string)
    return one === undefined ? undefined : (one === normal(b as string)) === equal
  })
}

function both(
  operator: BinaryOperator,
  type: ValueType,
  left: Compiled,
  right: Compiled,
  at: number,
  combine: Combine,
): Compiled {
  return varying(type, at, (evaluation) => {
    const a = left.compute(evaluation)
    if (a === undefined) return undefined
    const b = right.compute(evaluation)
    if (b === undefined) return undefined
    return combine(a, b) ?? evaluation.fail(`${JSON.stringify(a)} ${operator} ${JSON.stringify(b)}: no ${left.type}`)
  })
}
