import { at, compare, Double, Duration, equals, FAILED, isIn, itemsOf, Timestamp } from './value.ts'

/** Of evaluated operands; FAILED for those that it does not take. */
export type CelFunction = (...operands: unknown[]) => unknown

/** An integer, as long as JavaScript's numbers hold it exactly. */
function integer(value: number): unknown {
  return Number.isSafeInteger(value) ? value : FAILED
}

function arithmetic(
  ofIntegers: (a: number, b: number) => unknown,
  ofDoubles: (a: number, b: number) => number,
): CelFunction {
  return (left, right) => {
    if (typeof left === 'number' && typeof right === 'number') return ofIntegers(left, right)
    if (left instanceof Double && right instanceof Double) return new Double(ofDoubles(left.value, right.value))
    return FAILED
  }
}

const addNumbers = arithmetic(
  (a, b) => integer(a + b),
  (a, b) => a + b,
)
const subtractNumbers = arithmetic(
  (a, b) => integer(a - b),
  (a, b) => a - b,
)

function add(left: unknown, right: unknown): unknown {
  if (typeof left === 'string') return typeof right === 'string' ? left + right : FAILED
  if (Array.isArray(left)) return Array.isArray(right) ? [...left, ...right] : FAILED
  if (left instanceof Timestamp) return right instanceof Duration ? new Timestamp(left.ms + right.ms) : FAILED
  if (left instanceof Duration) {
    if (right instanceof Duration) return new Duration(left.ms + right.ms)
    return right instanceof Timestamp ? new Timestamp(left.ms + right.ms) : FAILED
  }
  if (left instanceof Uint8Array) return right instanceof Uint8Array ? Buffer.concat([left, right]) : FAILED
  return addNumbers(left, right)
}

function subtract(left: unknown, right: unknown): unknown {
  if (left instanceof Timestamp) {
    if (right instanceof Timestamp) return new Duration(left.ms - right.ms)
    return right instanceof Duration ? new Timestamp(left.ms - right.ms) : FAILED
  }
  if (left instanceof Duration) return right instanceof Duration ? new Duration(left.ms - right.ms) : FAILED
  return subtractNumbers(left, right)
}

function negate(value: unknown): unknown {
  if (typeof value === 'number') return -value
  return value instanceof Double ? new Double(-value.value) : FAILED
}

function ordered(holds: (order: number) => boolean): CelFunction {
  return (left, right) => {
    const order = compare(left, right)
    return order === undefined || Number.isNaN(order) ? FAILED : holds(order)
  }
}

function size(value: unknown): unknown {
  if (typeof value === 'string') return [...value].length
  if (value instanceof Uint8Array) return value.length
  return itemsOf(value)?.length ?? FAILED
}

function onTexts(apply: (text: string, part: string) => unknown): CelFunction {
  return (text, part) => (typeof text === 'string' && typeof part === 'string' ? apply(text, part) : FAILED)
}

function toText(value: unknown): unknown {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof Double) return String(value.value)
  if (value instanceof Duration) return `${value.ms / 1000}s`
  if (value instanceof Timestamp) return new Date(value.ms).toISOString().replace(/\.000Z$/, 'Z')
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : FAILED
}

const INTEGER = /^[+-]?\d+$/

function toInteger(value: unknown): unknown {
  if (typeof value === 'number') return value
  if (value instanceof Double) return integer(Math.trunc(value.value))
  if (value instanceof Timestamp) return Math.floor(value.ms / 1000)
  return typeof value === 'string' && INTEGER.test(value) ? integer(Number(value)) : FAILED
}

function toDouble(value: unknown): unknown {
  if (value instanceof Double) return value
  if (typeof value === 'number') return new Double(value)
  if (typeof value !== 'string' || value.trim() === '') return FAILED
  const number = Number(value)
  return Number.isNaN(number) ? FAILED : new Double(number)
}

const UNIT_MS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 }
const DURATION = /^-?(?:\d+(?:\.\d*)?(?:h|ms|m|s|us|µs|ns))+$/

function toDuration(value: unknown): unknown {
  if (value instanceof Duration) return value
  if (typeof value !== 'string' || value.length > 64 || !DURATION.test(value)) return FAILED
  let ms = 0
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d*)?)(h|ms|m|s|us|µs|ns)/g)) {
    ms += Number(amount) * (UNIT_MS[unit as string] as number)
  }
  return new Duration(value.startsWith('-') ? -ms : ms)
}

function toTimestamp(value: unknown): unknown {
  if (value instanceof Timestamp) return value
  if (typeof value !== 'string') return FAILED
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? FAILED : new Timestamp(ms)
}

const DATE_PARTS: Record<string, (date: Date) => number> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

/** Those of CEL's standard that take values alone, under the names that its parser gives operators. */
export const FUNCTIONS: Readonly<Record<string, CelFunction>> = {
  '_==_': (left, right) => equals(left, right),
  '_!=_': (left, right) => !equals(left, right),
  '_<_': ordered((order) => order < 0),
  '_<=_': ordered((order) => order <= 0),
  '_>_': ordered((order) => order > 0),
  '_>=_': ordered((order) => order >= 0),
  '_+_': add,
  '_-_': subtract,
  '_*_': arithmetic(
    (a, b) => integer(a * b),
    (a, b) => a * b,
  ),
  '_/_': arithmetic(
    (a, b) => (b === 0 ? FAILED : Math.trunc(a / b)),
    (a, b) => a / b,
  ),
  '_%_': (left, right) =>
    typeof left === 'number' && typeof right === 'number' && right !== 0 ? left % right : FAILED,
  '-_': negate,
  '_[_]': at,
  '@in': isIn,
  size,
  startsWith: onTexts((text, part) => text.startsWith(part)),
  endsWith: onTexts((text, part) => text.endsWith(part)),
  contains: onTexts((text, part) => text.includes(part)),
  lowerAscii: (text) => (typeof text === 'string' ? lowerAscii(text) : FAILED),
  string: toText,
  int: toInteger,
  uint: (value) => {
    const found = toInteger(value)
    return typeof found === 'number' && found >= 0 ? found : FAILED
  },
  double: toDouble,
  bytes: (value) => (typeof value === 'string' ? Buffer.from(value, 'utf8') : FAILED),
  duration: toDuration,
  timestamp: toTimestamp,
  ...Object.fromEntries(
    Object.entries(DATE_PARTS).map(([name, part]) => [
      name,
      (value: unknown) => (value instanceof Timestamp ? part(new Date(value.ms)) : FAILED),
    ]),
  ),
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
