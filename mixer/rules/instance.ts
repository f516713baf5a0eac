import type { FieldPath } from '../../config/object.ts'
import { isPlainObject } from '../../config/parse/objects.ts'
import { didYouMean } from '../../config/validate/suggest.ts'
import type { Instance, InstanceValues } from '../adapters/adapter.ts'
import type { AttributeTypes, Value, ValueType } from '../attributes/value.ts'
import { compileExpression, type Expression } from '../expression/compile.ts'
import type { Compute, Evaluation } from '../expression/evaluation.ts'
import type { ModelReport } from './report.ts'
import { camelCase, type Field, type Fields, KUBERNETES_OUTPUTS, type Template } from './templates.ts'

export interface CompiledInstance {
  readonly key: string
  readonly name: string
  readonly template: Template
  /** undefined when a field has no value: the evaluation says why. */
  build(evaluation: Evaluation): Instance | undefined
  /** Attributes made of what a handler gives, by their names. */
  readonly bindings: ReadonlyMap<string, Expression>
}

export interface InstanceSource {
  readonly key: string
  readonly name: string
  readonly template: Template
  readonly params: unknown
  readonly paramsPath: FieldPath
  readonly attributeBindings: Readonly<Record<string, string>>
}

type Build = (evaluation: Evaluation) => InstanceValues | Value | undefined

/** undefined when something of it is wrong, which is reported. */
export function compileInstance(
  source: InstanceSource,
  types: AttributeTypes,
  report: ModelReport,
): CompiledInstance | undefined {
  const { key, name, template, params, paramsPath } = source
  const build = compileFields(template.fields, params ?? {}, paramsPath, types, report)
  const bindings = compileBindings(source, types, report)
  if (report.hasErrors) return undefined
  const templateName = template.name
  return {
    key,
    name,
    template,
    bindings,
    build(evaluation) {
      const values = build(evaluation)
      return values === undefined ? undefined : { key, name, template: templateName, values: values as InstanceValues }
    },
  }
}

function compileFields(
  fields: Fields,
  params: unknown,
  path: FieldPath,
  types: AttributeTypes,
  report: ModelReport,
): Build {
  const parts: [string, Build][] = []
  const written = new Set<string>()
  for (const [key, value] of Object.entries(params as Record<string, unknown>)) {
    const name = Object.hasOwn(fields, key) ? key : camelCase(key)
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined) {
      report.error([...path, key], `unknown field${didYouMean(key, Object.keys(fields))}`)
      continue
    }
    if (value === null) continue
    written.add(name)
    const build = compileField(field, value, [...path, key], types, report)
    if (build !== undefined) parts.push([name, build])
  }
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind === 'value' && field.required && !written.has(name)) report.error([...path, name], 'must be given')
  }
  return gathered(parts)
}

/** Inherits nothing, so that any key may be written; an object without a prototype of its own would be a slow one. */
class Values {
  [field: string]: InstanceValues | Value
}
Object.setPrototypeOf(Values.prototype, null)
Reflect.deleteProperty(Values.prototype, 'constructor')

/** What is written alike is made once for each call, if the instances that have it follow each other. */
const writings = new Map<string, object>()
/** Of many configurations, one after the other. */
const MAX_WRITINGS = 10_000

function madeOnce(written: object, build: Build): Build {
  const text = JSON.stringify(written)
  let key = writings.get(text)
  if (key === undefined) {
    if (writings.size >= MAX_WRITINGS) writings.clear()
    key = {}
    writings.set(text, key)
  }
  return (evaluation) => {
    if (evaluation.madeBy === key) return evaluation.made as InstanceValues
    const made = build(evaluation)
    // What had no value says so each time.
    if (made !== undefined) {
      evaluation.madeBy = key
      evaluation.made = made as InstanceValues
    }
    return made
  }
}

function gathered(parts: readonly (readonly [string, Build])[]): Build {
  return (evaluation) => {
    const values = new Values()
    for (const [name, build] of parts) {
      const value = build(evaluation)
      if (value === undefined) return undefined
      values[name] = value
    }
    return values
  }
}

function compileField(
  field: Field,
  value: unknown,
  path: FieldPath,
  types: AttributeTypes,
  report: ModelReport,
): Build | undefined {
  if (field.kind === 'value') return compileValue(value, field.type, path, types, report)
  // A map may also be that of an attribute, whole: `spanTags: span.tags`.
  if (field.kind === 'map' && typeof value === 'string') return compileValue(value, 'STRING_MAP', path, types, report)
  if (!isPlainObject(value)) {
    report.error(path, 'must be an object')
    return undefined
  }
  if (field.kind === 'fields') return compileFields(field.fields, value, path, types, report)
  const parts: [string, Build][] = []
  for (const [key, one] of Object.entries(value)) {
    const build = compileValue(one, field.type, [...path, key], types, report)
    if (build !== undefined) parts.push([key, build])
  }
  return madeOnce(value, gathered(parts))
}

function compileValue(
  value: unknown,
  type: ValueType | undefined,
  path: FieldPath,
  types: AttributeTypes,
  report: ModelReport,
): Compute | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    report.error(path, 'must be an expression')
    return undefined
  }
  return report.expression(compileExpression(String(value), types, type), path)?.compute
}

function compileBindings(
  { template, attributeBindings }: InstanceSource,
  types: AttributeTypes,
  report: ModelReport,
): ReadonlyMap<string, Expression> {
  const bindings = new Map<string, Expression>()
  const entries = Object.entries(attributeBindings)
  if (entries.length > 0 && template.variety !== 'ATTRIBUTE_GENERATOR') {
    report.error(['spec', 'attributeBindings'], `the template ${template.name} makes no attributes`)
    return bindings
  }
  // Bindings speak of outputs, and of attributes too.
  const known = new Map([...types, ...KUBERNETES_OUTPUTS])
  for (const [name, text] of entries) {
    const path = ['spec', 'attributeBindings', name]
    const type = types.get(name)
    if (type === undefined) {
      report.error(path, `"${name}" is no attribute${didYouMean(name, [...types.keys()])}`)
      continue
    }
    const expression = report.expression(compileExpression(text, known, type), path)
    if (expression !== undefined) bindings.set(name, expression)
  }
  return bindings
}
