import { refuse } from '../../plan/plan-error.ts'

/** Writes a time of the Unix epoch, in milliseconds and UTC. */
export type TimeFormat = (wallMs: number) => string

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const two = (value: number) => (value < 10 ? `0${value}` : String(value))
const three = (value: number) => String(value).padStart(3, '0')
const hour12 = (hour: number) => (hour % 12 === 0 ? 12 : hour % 12)

let knownSecond = -1
let knownText = ''

/** `2026-01-02T03:04:05.678Z`. Most times fall into the second of the one before. */
export const isoTime: TimeFormat = (wallMs) => {
  const second = Math.floor(wallMs / 1000)
  if (second !== knownSecond) {
    knownSecond = second
    knownText = new Date(second * 1000).toISOString().slice(0, 20)
  }
  return `${knownText}${three(Math.floor(wallMs - second * 1000))}Z`
}

/** Conversions of strftime, by their letters. */
const CONVERSIONS: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, ' '),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(hour12(date.getUTCHours())),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  a: (date) => (DAYS[date.getUTCDay()] as string).slice(0, 3),
  A: (date) => DAYS[date.getUTCDay()] as string,
  b: (date) => (MONTHS[date.getUTCMonth()] as string).slice(0, 3),
  h: (date) => (MONTHS[date.getUTCMonth()] as string).slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()] as string,
  j: (date) => three(1 + Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / 86_400_000)),
  u: (date) => String(date.getUTCDay() || 7),
  w: (date) => String(date.getUTCDay()),
  T: (date) => date.toISOString().slice(11, 19),
  R: (date) => date.toISOString().slice(11, 16),
  F: (date) => date.toISOString().slice(0, 10),
  D: (date) => `${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())}/${two(date.getUTCFullYear() % 100)}`,
  Z: () => 'UTC',
  z: () => '+0000',
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  t: () => '\t',
  '%': () => '%',
}

/** Milliseconds as so many digits of a second; finer ones are 0. */
function fraction(date: Date, digits: number): string {
  return three(date.getUTCMilliseconds()).padEnd(9, '0').slice(0, digits)
}

const SPECIFIER = /%(?:E([1-9])S|([1-9])?f|([A-Za-z%]))/y

/** Of a text as %START_TIME(..)% takes it: strftime's, and `%f`, `%3f`, `%E3S` for fractions of a second. '' is ISO 8601. */
export function compileTimeFormat(text: string, path: string): TimeFormat {
  if (text === '') return isoTime
  const parts: (string | ((date: Date) => string))[] = []
  for (let pos = 0; pos < text.length; ) {
    if (text[pos] !== '%') {
      const next = text.indexOf('%', pos)
      parts.push(text.slice(pos, next < 0 ? text.length : next))
      pos = next < 0 ? text.length : next
      continue
    }
    SPECIFIER.lastIndex = pos
    const found = SPECIFIER.exec(text)
    if (found === null) return refuse(path, `a time cannot be written as ${JSON.stringify(text.slice(pos, pos + 3))}`)
    parts.push(conversion(found, path))
    pos = SPECIFIER.lastIndex
  }
  return (wallMs) => {
    const date = new Date(wallMs)
    let out = ''
    for (const part of parts) out += typeof part === 'string' ? part : part(date)
    return out
  }
}

function conversion([whole, secondDigits, digits, letter]: RegExpExecArray, path: string): (date: Date) => string {
  if (secondDigits !== undefined) {
    return (date) => `${two(date.getUTCSeconds())}.${fraction(date, Number(secondDigits))}`
  }
  if (letter === undefined) return (date) => fraction(date, Number(digits ?? 9))
  return CONVERSIONS[letter] ?? refuse(path, `a time cannot be written as ${JSON.stringify(whole)}`)
}
