import { CR, IS_TOKEN, IS_VALUE } from './chars.ts'

/** Where in a chunk's extensions a reader is: `;name`, `;name=token` or `;name="text"`, again and again. */
export const EXTENSION = {
  start: 0,
  name: 1,
  valueStart: 2,
  token: 3,
  quoted: 4,
  escaped: 5,
  quoteEnd: 6,
  end: 7,
} as const
export type Extension = (typeof EXTENSION)[keyof typeof EXTENSION]

const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92

/**
 * Takes the next byte of the extensions, behind the first semicolon: `end` at the CR that closes them, undefined for what
 * RFC 9112 section 7.1.1 does not have. White space, which it lets bad senders send, is refused.
 */
export function nextExtension(at: Extension, byte: number): Extension | undefined {
  switch (at) {
    case EXTENSION.start:
      return IS_TOKEN[byte] === 1 ? EXTENSION.name : undefined
    case EXTENSION.name:
      if (IS_TOKEN[byte] === 1) return EXTENSION.name
      return byte === EQUALS ? EXTENSION.valueStart : afterExtension(byte)
    case EXTENSION.valueStart:
      if (byte === QUOTE) return EXTENSION.quoted
      return IS_TOKEN[byte] === 1 ? EXTENSION.token : undefined
    case EXTENSION.token:
      return IS_TOKEN[byte] === 1 ? EXTENSION.token : afterExtension(byte)
    case EXTENSION.quoted:
      if (byte === QUOTE) return EXTENSION.quoteEnd
      if (byte === BACKSLASH) return EXTENSION.escaped
      return IS_VALUE[byte] === 1 ? EXTENSION.quoted : undefined
    case EXTENSION.escaped:
      return IS_VALUE[byte] === 1 ? EXTENSION.quoted : undefined
    default:
      return afterExtension(byte)
  }
}

function afterExtension(byte: number): Extension | undefined {
  if (byte === SEMICOLON) return EXTENSION.start
  return byte === CR ? EXTENSION.end : undefined
}
