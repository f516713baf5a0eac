import { expect, test } from '@jest/globals'
import { References } from '../attributes/references.ts'
import { MapBag, type Value, type ValueType } from '../attributes/value.ts'
import { compileExpression } from './compile.ts'
import { Evaluation } from './evaluation.ts'

/** Attributes with a value; those whose names begin with `no` are known, and absent. */
const THERE: Readonly<Record<string, readonly [ValueType, Value]>> = {
  s: ['STRING', 'text'],
  's.long': ['STRING', 'some longer text'],
  upper: ['STRING', 'TeXT'],
  empty: ['STRING', ''],
  i: ['INT64', 7],
  d: ['DOUBLE', 2.5],
  yes: ['BOOL', true],
  off: ['BOOL', false],
  time: ['TIMESTAMP', Date.parse('2026-03-04T05:06:07.5Z')],
  dur: ['DURATION', 1500],
  ip4: ['IP_ADDRESS', '10.1.2.3'],
  ip6: ['IP_ADDRESS', '2001:db8::1'],
  mail: ['EMAIL_ADDRESS', 'Ann@Example.com'],
  link: ['URI', 'HTTP://Example.com:80/a?b'],
  dns: ['DNS_NAME', 'Bücher.Example.'],
  map: ['STRING_MAP', { a: 'one', b: 'two', '5s': 'five' }],
  other: ['STRING_MAP', {}],
}
const ABSENT: Readonly<Record<string, ValueType>> = {
  noS: 'STRING',
  noI: 'INT64',
  noD: 'DOUBLE',
  noB: 'BOOL',
  noT: 'TIMESTAMP',
  noDur: 'DURATION',
  noIp: 'IP_ADDRESS',
  noMap: 'STRING_MAP',
}
const types = new Map<string, ValueType>([
  ...Object.entries(THERE).map(([name, [type]]) => [name, type] as const),
  ...Object.entries(ABSENT),
])
const bag = new MapBag(Object.entries(THERE).map(([name, [, value]]) => [name, value] as const))

/** What comes of it: a value, or why there is none; and what was read, a minus before what was absent. */
function run(text: string): { value?: Value; error?: string; read: string } {
  const result = compileExpression(text, types)
  if (!result.ok) return { error: result.error.describe(), read: '' }
  const references = new References()
  const evaluation = new Evaluation(bag, references)
  const value = result.expression.compute(evaluation)
  const { present, absent } = references.texts()
  const read = [...present, ...absent.map((one) => `-${one}`)].join(' ')
  return value === undefined ? { error: evaluation.error, read } : { value, read }
}

const VALUES: readonly (readonly [text: string, value: Value, read: string])[] = [
  // Literals.
  ['1', 1, ''],
  ['0', 0, ''],
  ['0x1F', 31, ''],
  ['0X1f', 31, ''],
  ['017', 15, ''],
  ['0o17', 15, ''],
  ['0b101', 5, ''],
  ['9007199254740991', 9007199254740991, ''],
  ['1.5', 1.5, ''],
  ['.5', 0.5, ''],
  ['5.', 5, ''],
  ['1e3', 1000, ''],
  ['1.5E-1', 0.15, ''],
  ['"a"', 'a', ''],
  ['""', '', ''],
  ['"a\\"b\\\\c\\n\\t"', 'a"b\\c\n\t', ''],
  ['"\\x41\\u00e9\\U0001F600\\101"', 'Aé😀A', ''],
  ['`a\\n"b`', 'a\\n"b', ''],
  ['true', true, ''],
  ['false', false, ''],
  ['"19ms"', 19, ''],
  ['"1h30m"', 5_400_000, ''],
  ['"1.5s"', 1500, ''],
  ['"-5s"', -5000, ''],
  ['  1  ', 1, ''],
  ['(1)', 1, ''],
  ['((("a")))', 'a', ''],
  // Attributes.
  ['s', 'text', 's'],
  ['s.long', 'some longer text', 's.long'],
  ['i', 7, 'i'],
  ['d', 2.5, 'd'],
  ['yes', true, 'yes'],
  ['dur', 1500, 'dur'],
  ['ip4', '10.1.2.3', 'ip4'],
  ['map', THERE.map?.[1] as Value, 'map'],
  ['s . long', 'some longer text', 's.long'],
  // Entries of maps.
  ['map["a"]', 'one', 'map[a]'],
  ['map[`b`]', 'two', 'map[b]'],
  ['map["5s"]', 'five', 'map[5s]'],
  ['map[toLower("A")]', 'one', 'map[a]'],
  ['map[noS | "b"]', 'two', 'map[b] -noS'],
  ['(noMap | map)["a"]', 'one', 'map -noMap'],
  ['conditional(yes, map, other)["b"]', 'two', 'map yes'],
  // Equality.
  ['s == "text"', true, 's'],
  ['s != "text"', false, 's'],
  ['"text" == s', true, 's'],
  ['s == empty', false, 'empty s'],
  ['i == 7', true, 'i'],
  ['i != 8', true, 'i'],
  ['d == 2.5', true, 'd'],
  ['yes == true', true, 'yes'],
  ['off == false', true, 'off'],
  ['yes != off', true, 'off yes'],
  ['dur == "1500ms"', true, 'dur'],
  ['dur == "1s500ms"', true, 'dur'],
  ['dur != "1s"', true, 'dur'],
  ['time == timestamp("2026-03-04T05:06:07.5Z")', true, 'time'],
  ['time == timestamp("2026-03-04T06:06:07.500+01:00")', true, 'time'],
  ['time != timestamp("2026-03-04T05:06:07Z")', true, 'time'],
  ['ip4 == ip("10.1.2.3")', true, 'ip4'],
  ['ip4 == ip("::ffff:10.1.2.3")', true, 'ip4'],
  ['ip6 == ip("2001:0db8:0000::0001")', true, 'ip6'],
  ['ip4 != ip6', true, 'ip4 ip6'],
  ['mail == email("Ann@example.COM")', true, 'mail'],
  ['mail == email("ann@example.com")', false, 'mail'],
  ['link == uri("http://example.com/a?b")', true, 'link'],
  ['link == uri("https://example.com/a?b")', false, 'link'],
  ['link != uri("http://example.com/A?b")', true, 'link'],
  ['dns == dnsName("bücher.example")', true, 'dns'],
  ['dns == dnsName("XN--BCHER-KVA.example")', true, 'dns'],
  ['dns != dnsName("example")', true, 'dns'],
  // Text that is a duration is text where text is wanted.
  ['s == "5s"', false, 's'],
  ['"0" == s', false, 's'],
  ['map["a"] != "1h"', true, 'map[a]'],
  ['noS | "10s"', '10s', '-noS'],
  ['"10s" + s', '10stext', 's'],
  ['match("5s", "5*")', true, ''],
  ['"5s" == "5000ms"', true, ''],
  ['conditionalString(yes, "1s", "2s")', '1s', 'yes'],
  ['conditional(off, "1s", s)', 'text', 'off s'],
  // Order.
  ['i < 8', true, 'i'],
  ['i <= 7', true, 'i'],
  ['i > 7', false, 'i'],
  ['i >= 7', true, 'i'],
  ['d < 2.6', true, 'd'],
  ['d > 2.5', false, 'd'],
  ['s < "texu"', true, 's'],
  ['s >= "text"', true, 's'],
  ['"Z" < "a"', true, ''],
  ['dur > "1s"', true, 'dur'],
  ['dur <= "1499ms"', false, 'dur'],
  ['time > timestamp("2026-01-01T00:00:00Z")', true, 'time'],
  ['time < timestamp("2026-01-01T00:00:00Z")', false, 'time'],
  // Sums.
  ['i + 1', 8, 'i'],
  ['1 + 2 + 3', 6, ''],
  ['d + 0.5', 3, 'd'],
  ['s + "-" + upper', 'text-TeXT', 's upper'],
  ['"a" + "b" == "ab"', true, ''],
  // Logic, and where it stops.
  ['yes && off', false, 'off yes'],
  ['off && yes', false, 'off'],
  ['off && noB', false, 'off'],
  ['yes || noB', true, 'yes'],
  ['off || yes', true, 'off yes'],
  ['yes && i == 7', true, 'i yes'],
  ['off && off || yes', true, 'off yes'],
  ['yes || off && off', true, 'yes'],
  ['(yes || off) && off', false, 'off yes'],
  ['i == 7 && s == "text" && yes', true, 'i s yes'],
  // What is absent.
  ['noS | "else"', 'else', '-noS'],
  ['s | "else"', 'text', 's'],
  ['noS | noS | "else"', 'else', '-noS'],
  ['noS | s | "else"', 'text', 's -noS'],
  ['map["z"] | "else"', 'else', '-map[z]'],
  ['map["a"] | "else"', 'one', 'map[a]'],
  ['noMap["a"] | "else"', 'else', '-noMap'],
  ['map["constructor"] | "none"', 'none', '-map[constructor]'],
  ['noMap | emptyStringMap()', {}, '-noMap'],
  ['(noMap | emptyStringMap())["a"] | "x"', 'x', '-noMap'],
  ['noI | 3', 3, '-noI'],
  ['noD | 0.5', 0.5, '-noD'],
  ['noB | false', false, '-noB'],
  ['noB | true && yes', true, 'yes -noB'],
  ['noIp | ip("0.0.0.0")', '0.0.0.0', '-noIp'],
  ['noDur | "5ms"', 5, '-noDur'],
  ['noT | timestamp("1970-01-01T00:00:01Z")', 1000, '-noT'],
  ['(noS + "x") | "y"', 'y', '-noS'],
  ['noS + "x" | "y"', 'y', '-noS'],
  ['toLower(noS) | "y"', 'y', '-noS'],
  ['(noI == 3) | true', true, '-noI'],
  ['(off && noB) | true', false, 'off'],
  ['noS | s == "text"', true, 's -noS'],
  ['"a" | noS', 'a', ''],
  // Functions.
  ['match(s, "te*")', true, 's'],
  ['match(s, "*xt")', true, 's'],
  ['match(s, "text")', true, 's'],
  ['match(s, "tex")', false, 's'],
  ['match(s, "*")', true, 's'],
  ['match(s, "t*t")', false, 's'],
  ['match("*ab", "*a*")', true, ''],
  ['match(map["a"], "o*") == false', false, 'map[a]'],
  ['"^te".matches(s)', true, 's'],
  ['"ex".matches(s)', true, 's'],
  ['"^ex".matches(s)', false, 's'],
  ['"(?i)^text$".matches(upper)', true, 'upper'],
  ['s.matches("some text")', true, 's'],
  ['s.long.startsWith("some")', true, 's.long'],
  ['s.startsWith("x")', false, 's'],
  ['s.endsWith("xt")', true, 's'],
  ['map["a"].startsWith("o")', true, 'map[a]'],
  ['"abc".endsWith("bc")', true, ''],
  ['(noS | "abc").startsWith("a")', true, '-noS'],
  ['size(s)', 4, 's'],
  ['size("é")', 2, ''],
  ['size(empty) == 0', true, 'empty'],
  ['toLower(upper)', 'text', 'upper'],
  ['toLower(upper) == s', true, 's upper'],
  ['conditional(yes, 1, 2)', 1, 'yes'],
  ['conditional(off, s, noS | "x")', 'x', 'off -noS'],
  ['conditional(yes, s, noS)', 'text', 's yes'],
  ['conditionalString(i > 3, "many", "few")', 'many', 'i'],
  ['conditional(match(s, "t*"), "5ms", "6ms")', 5, 's'],
  ['ip("10.0.0.1")', '10.0.0.1', ''],
  ['ip("2001:DB8::0:1")', '2001:db8::1', ''],
  ['timestamp("1970-01-01T00:00:00.25Z")', 250, ''],
  ['dnsName("a.b")', 'a.b', ''],
  ['email("a@b.c")', 'a@b.c', ''],
  ['uri("http://a/b")', 'http://a/b', ''],
  ['emptyStringMap()', {}, ''],
]

test.each(VALUES)('%s', (text, value, read) => {
  expect(run(text)).toEqual({ value, read })
})

/** Found when the expression is compiled: the place, and what is said. */
const REFUSED: readonly (readonly [text: string, error: string])[] = [
  ['', 'at character 1: the expression ends too early'],
  ['a.b', 'at character 1: "a.b" is no attribute'],
  ['s.lon', 'did you mean "s.long"?'],
  ['s ==', 'at character 5: the expression ends too early'],
  ['s "x"', 'at character 3: "x" cannot stand here'],
  ['(s', 'at character 3: the expression ends too early, ")" was expected'],
  ['s)', 'at character 2: ")" cannot stand here'],
  ['map["a"', '"]" was expected'],
  ['map[]', '"]" cannot stand here'],
  ['!yes', 'at character 1: the language has no "!"'],
  ['-1', 'at character 1: the language has no "-"'],
  ['i - 1', 'at character 3: the language has no "-"'],
  ['i * 2', 'the language has no "*"'],
  ['i / 2', 'the language has no "/"'],
  ['i % 2', 'the language has no "%"'],
  ['yes & off', 'the language has no "&"'],
  ['s = "x"', 'the language has no "="'],
  ['yes ? 1 : 2', 'the language has no "?"'],
  ["'a'", 'at character 1: text stands in double quotes'],
  ['"a', 'at character 1: text without its closing quote'],
  ['`a', 'text without its closing backquote'],
  ['"\\q"', '"\\q" is no escape'],
  ['"\\x4"', 'is no escape'],
  ['9007199254740992', 'is too large'],
  ['1x', 'at character 2: "x" cannot follow a number'],
  ['#', '"#" means nothing here'],
  ['s.', 'a name was expected'],
  ['s == 1', 'at character 3: the sides of == must be of one type, found STRING and INT64'],
  ['i == 1.5', 'found INT64 and DOUBLE'],
  ['ip4 == "10.0.0.1"', 'found IP_ADDRESS and STRING'],
  ['dur == s', 'found DURATION and STRING'],
  ['map == map', '== does not compare values of type STRING_MAP'],
  ['yes < off', '< does not order values of type BOOL'],
  ['ip4 < ip4', '< does not order values of type IP_ADDRESS'],
  ['yes + off', '+ does not add values of type BOOL'],
  ['dur + dur', '+ does not add values of type DURATION'],
  ['s && yes', 'at character 1: the left side of && must be a BOOL, found a STRING'],
  ['yes || i', 'at character 8: the right side of || must be a BOOL, found a INT64'],
  ['noS | 1', 'the sides of | must be of one type'],
  ['s["a"]', 'only a STRING_MAP has entries, this is a STRING'],
  ['map[1]', 'the key must be a STRING, found a INT64'],
  ['nothing(1)', '"nothing" is no function'],
  ['startWith(s)', 'did you mean "startsWith"?'],
  ['startsWith(s)', 'startsWith() is a method: write text.startsWith(...)'],
  ['s.match("x")', 'match() is no method: write match(...)'],
  ['match(s)', 'match() takes 2 arguments, found 1'],
  ['toLower()', 'toLower() takes 1 argument, found 0'],
  ['match(s, 1)', 'argument 2 of match() must be a STRING, found a INT64'],
  ['i.startsWith("x")', 'what startsWith() is called on must be a STRING'],
  ['conditional(1, 2, 3)', 'argument 1 of conditional() must be a BOOL'],
  ['conditional(yes, 1, "a")', 'the values of conditional() must be of one type'],
  ['conditionalString(yes, 1, 2)', 'argument 2 of conditionalString() must be a STRING'],
  ['ip("10.0.0")', 'at character 4: "10.0.0" is no IP address'],
  ['timestamp("2026-03-04")', 'is no time of RFC 3339'],
  ['dnsName("a b")', 'is no name of a host'],
  ['email("nobody")', 'is no address of mail'],
  ['uri("")', 'is no URI'],
  ['"(".matches(s)', 'at character 1'],
  ['"(a+)\\\\1".matches(s)', 'at character 1'],
  ['map["a"].b', 'its arguments are missing'],
  [`${'('.repeat(200)}1${')'.repeat(200)}`, 'deeper than 100'],
  [`"${'a'.repeat(20_000)}"`, 'longer than'],
]

test.each(REFUSED)('refused: %s', (text, error) => {
  const found = run(text)
  expect(found.value).toBeUndefined()
  expect(found.error).toContain(error)
})

/** Found when it is evaluated. */
const FAILING: readonly (readonly [text: string, error: string, read: string])[] = [
  ['noS', 'noS is absent', '-noS'],
  ['noS == "x"', 'noS is absent', '-noS'],
  ['s == noS', 'noS is absent', 's -noS'],
  ['map["z"]', 'map["z"] is absent', '-map[z]'],
  ['noMap["a"]', 'noMap is absent', '-noMap'],
  ['other["a"] == "x"', 'other["a"] is absent', '-other[a]'],
  ['noB && off', 'noB is absent', '-noB'],
  ['yes && noB', 'noB is absent', 'yes -noB'],
  ['off || noB', 'noB is absent', 'off -noB'],
  ['noB || yes', 'noB is absent', '-noB'],
  ['noS | noS', 'noS is absent', '-noS'],
  ['conditional(noB, 1, 2)', 'noB is absent', '-noB'],
  ['conditional(off, "a", noS)', 'noS is absent', 'off -noS'],
  ['toLower(noS)', 'noS is absent', '-noS'],
  ['(noMap | emptyStringMap())["a"]', 'entry "a" is absent', '-noMap'],
  ['ip(s)', '"text" is no IP address', 's'],
  // What is wrong is not absent.
  ['ip(s) | ip("0.0.0.0")', '"text" is no IP address', 's'],
  ['timestamp(s) == time', '"text" is no time of RFC 3339', 's'],
  ['dnsName(s.long) == dns', 'is no name of a host', 's.long'],
]

test.each(FAILING)('without a value: %s', (text, error, read) => {
  const found = run(text)
  expect(found.value).toBeUndefined()
  expect(found.error).toContain(error)
  expect(found.read).toBe(read)
})

test('the type that is wanted', () => {
  expect(compileExpression('"5s"', types, 'STRING')).toMatchObject({ ok: true, expression: { type: 'STRING' } })
  const refused = compileExpression('i', types, 'BOOL')
  expect(refused.ok ? '' : refused.error.describe()).toBe(
    'at character 1: the expression must be a BOOL, found a INT64',
  )
})

test('the tables are as large as they must be', () => {
  expect(VALUES.length + REFUSED.length + FAILING.length).toBeGreaterThanOrEqual(150)
})
