import { isUtf8 } from 'node:buffer'

/*
 * Lines are texts of bytes, one character a byte, as header values are. What clients send must not end a line or a quoted
 * value in it: nobody may write entries of others' requests.
 */

const UNSAFE = /["\\\x00-\x1f\x7f]/
const EACH_UNSAFE = /["\\\x00-\x1f\x7f]/g

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, '0')
}

/** A value within a text line: control characters, quotes and backslashes become `\x0a`. */
export function escapeText(value: string): string {
  return UNSAFE.test(value) ? value.replace(EACH_UNSAFE, (character) => `\\x${hex(character)}`) : value
}

const NO_ASCII = /[^\x00-\x7f]/
const EACH_NO_ASCII = /[^\x00-\x7f]/g

/** A value as a string of JSON, quotes included. Bytes that are no UTF-8 become the characters of their numbers. */
export function jsonString(value: string): string {
  const quoted = UNSAFE.test(value) ? JSON.stringify(value).replaceAll('\x7f', '\\u007f') : `"${value}"`
  if (!NO_ASCII.test(value) || isUtf8(Buffer.from(value, 'latin1'))) return quoted
  return quoted.replace(EACH_NO_ASCII, (character) => `\\u00${hex(character)}`)
}

/** Text of a configuration as bytes. */
export function bytesOf(text: string): string {
  return NO_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}
