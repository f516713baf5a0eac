/** Character classes of RFC 9110 section 5.6.2 and RFC 9112, as tables indexed by byte. */

const TOKEN_EXTRA = "!#$%&'*+-.^_`|~"

/** tchar: what methods and field names are made of. */
export const IS_TOKEN = new Uint8Array(256)
/** What a field value may hold: HTAB, SP, visible ASCII and obs-text (0x80-0xFF). No NUL, CR, LF or DEL. */
export const IS_VALUE = new Uint8Array(256)
/** What a request target may hold: visible ASCII. */
export const IS_TARGET = new Uint8Array(256)
/** Value of a hex digit, or 255. */
export const HEX = new Uint8Array(256).fill(255)

fillClasses()

// A loop outside of functions has V8 compile all that a bundle does when it is loaded, and keep it: 0.2 MB.
function fillClasses(): void {
  for (let c = 0; c < 256; c++) {
    const isAlnum = (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122)
    if (isAlnum || (c < 128 && TOKEN_EXTRA.includes(String.fromCharCode(c)))) IS_TOKEN[c] = 1
    if (c === 9 || (c >= 32 && c <= 126) || c >= 128) IS_VALUE[c] = 1
    if (c >= 33 && c <= 126) IS_TARGET[c] = 1
  }
  for (let d = 0; d < 10; d++) HEX[48 + d] = d
  for (let d = 0; d < 6; d++) {
    HEX[65 + d] = 10 + d
    HEX[97 + d] = 10 + d
  }
}

export const CR = 13
export const LF = 10
export const SP = 32
export const HTAB = 9
export const COLON = 58
export const SLASH = 47

/** A line feed without its carriage return can never become part of a good head: no need to wait for more. */
export function hasBareLf(bytes: Buffer, start: number): boolean {
  for (let at = bytes.indexOf(LF, start); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (at === start || bytes[at - 1] !== CR) return true
  }
  return false
}
