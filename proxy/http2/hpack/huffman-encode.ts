import { CODE_BITS, CODES } from './huffman-code.ts'

/** Length in bytes of the bytes' Huffman code with its padding (RFC 7541 5.2). */
export function huffmanLength(bytes: Uint8Array, start: number, end: number): number {
  let bits = 7
  for (let i = start; i < end; i++) bits += CODE_BITS[bytes[i] as number] as number
  return bits >>> 3
}

/** Writes the bytes' Huffman code to `to` of `into`, where `huffmanLength` bytes have room. */
export function encodeHuffman(bytes: Uint8Array, start: number, end: number, into: Uint8Array, to: number): void {
  // The low `bits` bits of `window`, less than 8 between symbols, are not yet written.
  let window = 0
  let bits = 0
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    let code = CODES[byte] as number
    let codeBits = CODE_BITS[byte] as number
    if (codeBits > 16) {
      // Longer ones in two halves, so that the window's 32 bits suffice.
      codeBits -= 16
      window = (window << codeBits) | (code >>> 16)
      bits += codeBits
      while (bits >= 8) {
        bits -= 8
        into[to++] = window >>> bits
      }
      code &= 0xffff
      codeBits = 16
    }
    window = (window << codeBits) | code
    bits += codeBits
    while (bits >= 8) {
      bits -= 8
      into[to++] = window >>> bits
    }
  }
  if (bits > 0) into[to] = (window << (8 - bits)) | (255 >>> bits)
}
