/** FNV-1a of 64 bits over the text's UTF-8, as a signed number: what an Atomics array of 64 bits holds. */
export function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text, 'utf8')) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return BigInt.asIntN(64, hash)
}
