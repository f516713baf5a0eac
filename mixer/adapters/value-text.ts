import type { Value } from '../attributes/value.ts'
import type { Instance, InstanceValues } from './adapter.ts'

/** A value as labels and logs show it. */
export function valueText(value: Value | InstanceValues | undefined): string {
  if (value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A map of the instance's, such as its dimensions. */
export function valuesOf(instance: Instance, field: string): Readonly<Record<string, Value>> {
  return (instance.values[field] ?? {}) as Readonly<Record<string, Value>>
}
